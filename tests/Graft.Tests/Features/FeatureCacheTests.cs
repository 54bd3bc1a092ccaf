using Graft.Features;
using Graft.Testing;
using Microsoft.Data.Sqlite;

namespace Graft.Tests.Features;

public class FeatureCacheTests
{
    private static readonly byte[] Image = [1, 2, 3], Other = [4, 5, 6];

    private static float[]? Get(FeatureCache cache, string space, byte[] image, int length = 3)
    {
        var row = new float[length];
        return cache.TryGet(space, image, row) ? row : null;
    }

    [Fact]
    public void Features_come_back_bit_for_bit_from_a_new_connection()
    {
        using var folder = new TemporaryFolder();
        float[] features = [1.1f, float.NegativeZero, float.Epsilon];
        using (var cache = FeatureCache.Open(folder.FullName)) cache.Add("space", [(Image, features)]);

        using var again = FeatureCache.Open(folder.FullName);

        Assert.Equal(features.Select(BitConverter.SingleToInt32Bits), Get(again, "space", Image)!.Select(BitConverter.SingleToInt32Bits));
    }

    [Fact]
    public void Unknown_space_image_or_length_gives_nothing()
    {
        using var folder = new TemporaryFolder();
        using var cache = FeatureCache.Open(folder.FullName);
        cache.Add("space", [(Image, [1, 2, 3])]);

        Assert.Null(Get(cache, "another", Image));
        Assert.Null(Get(cache, "space", Other));
        Assert.Null(Get(cache, "space", Image, length: 2));
        Assert.Null(Get(cache, "space", Image, length: 4));
    }

    [Fact]
    public void Spaces_do_not_mix()
    {
        using var folder = new TemporaryFolder();
        using var cache = FeatureCache.Open(folder.FullName);
        cache.Add("a", [(Image, [1, 1, 1])]);
        cache.Add("b", [(Image, [2, 2, 2])]);

        Assert.Equal([1, 1, 1], Get(cache, "a", Image)!);
        Assert.Equal([2, 2, 2], Get(cache, "b", Image)!);
    }

    [Fact]
    public void Features_added_again_take_the_place_of_the_first()
    {
        using var folder = new TemporaryFolder();
        using var cache = FeatureCache.Open(folder.FullName);
        cache.Add("space", [(Image, [1, 1, 1])]);
        cache.Add("space", [(Image, [2, 2, 2])]);

        Assert.Equal([2, 2, 2], Get(cache, "space", Image)!);
    }

    [Fact]
    public void Two_connections_see_each_others_features()
    {
        using var folder = new TemporaryFolder();
        using var one = FeatureCache.Open(folder.FullName);
        using var two = FeatureCache.Open(folder.FullName);
        one.Add("space", [(Image, [1, 2, 3])]);
        two.Add("space", [(Other, [4, 5, 6])]);

        Assert.Equal([1, 2, 3], Get(two, "space", Image)!);
        Assert.Equal([4, 5, 6], Get(one, "space", Other)!);
    }

    [Fact]
    public void Two_connections_write_at_once()
    {
        using var folder = new TemporaryFolder();
        Parallel.For(0, 2, writer =>
        {
            using var cache = FeatureCache.Open(folder.FullName);
            for (byte number = 0; number < 20; number++) cache.Add("space", [([(byte)writer, number], [writer, number, 0])]);
        });

        using var reader = FeatureCache.Open(folder.FullName);
        for (byte number = 0; number < 20; number++)
            for (byte writer = 0; writer < 2; writer++) Assert.Equal([writer, number, 0], Get(reader, "space", [writer, number])!);
    }

    [Fact]
    public void Adding_that_breaks_off_leaves_nothing_behind_and_can_be_repeated()
    {
        using var folder = new TemporaryFolder();
        using var cache = FeatureCache.Open(folder.FullName);
        static IEnumerable<(byte[], float[])> BreaksOff()
        {
            yield return (Image, [1, 2, 3]);
            throw new OperationCanceledException();
        }

        Assert.Throws<OperationCanceledException>(() => cache.Add("space", BreaksOff()));

        Assert.Null(Get(cache, "space", Image));
        cache.Add("space", [(Image, [1, 2, 3])]);
        Assert.NotNull(Get(cache, "space", Image));
    }

    [Fact]
    public void Folder_that_cannot_be_had_is_a_cache_problem_with_advice()
    {
        using var folder = new TemporaryFolder();
        var file = folder.File("file");
        File.WriteAllText(file, "");

        var problem = Assert.Throws<FeatureCacheException>(() => FeatureCache.Open(Path.Combine(file, "features")));

        Assert.Contains("GRAFT_HOME", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Cache_that_fails_or_is_closed_says_so_as_a_cache_problem()
    {
        using var folder = new TemporaryFolder();
        var cache = FeatureCache.Open(folder.FullName);
        cache.Add("space", [(Image, [1, 2, 3])]);
        using (var other = new SqliteConnection($"Data Source={Path.Combine(folder.FullName, "features.sqlite")};Pooling=False"))
        {
            other.Open();
            using var command = other.CreateCommand();
            command.CommandText = "DROP TABLE value";
            command.ExecuteNonQuery();
        }
        Assert.Throws<FeatureCacheException>(() => Get(cache, "space", Image));
        Assert.Throws<FeatureCacheException>(() => cache.Add("space", [(Image, [1, 2, 3])]));

        cache.Dispose();

        Assert.Throws<FeatureCacheException>(() => Get(cache, "space", Image));
        Assert.Throws<FeatureCacheException>(() => cache.Add("space", [(Image, [1, 2, 3])]));
    }

    [Fact]
    public void Many_are_read_at_once_in_the_order_asked_for()
    {
        using var folder = new TemporaryFolder();
        using var cache = FeatureCache.Open(folder.FullName);
        cache.Add("space", [(Image, [1, 2, 3]), (Other, [4, 5, 6])]);

        var rows = cache.Read("space", [[9], Other, null, Image, Other], length: 3);

        Assert.Equal([null, [4, 5, 6], null, [1, 2, 3], [4, 5, 6]], rows);
        Assert.Equal([null, null], cache.Read("another", [Image, Other], length: 3));
        Assert.Equal([null], cache.Read("space", [Image], length: 4));
    }

    [Fact]
    public void Precisions_are_kept_apart()
    {
        using var folder = new TemporaryFolder();
        using var whole = FeatureCache.Open(folder.FullName, new());
        using var half = FeatureCache.Open(folder.FullName, new() { Precision = FeaturePrecision.Float16 });
        whole.Add("space", [(Image, [0.1f, 0.2f, 0.3f])]);

        Assert.Null(Get(half, "space", Image));
        half.Add("space", [(Image, [0.1f, 0.2f, 0.3f])]);

        Assert.Equal([0.1f, 0.2f, 0.3f], Get(whole, "space", Image)!);
        Assert.Equal([(float)(Half)0.1f, (float)(Half)0.2f, (float)(Half)0.3f], Get(half, "space", Image)!);
        Assert.Equal([12, 6], half.Contents().Spaces.Select(space => space.Bytes));
    }

    [Theory]
    [InlineData(1f, 0.33333334f, -1e-9f)]
    [InlineData(1f, 0.33333334f, 70_000f)]
    [InlineData(float.NaN, float.PositiveInfinity, 3f)]
    public void Rounding_gives_what_a_float16_cache_gives_back(float a, float b, float c)
    {
        using var folder = new TemporaryFolder();
        using var cache = FeatureCache.Open(folder.FullName, new() { Precision = FeaturePrecision.Float16 });
        float[] rounded = [a, b, c];
        cache.Precision.Round(rounded);

        cache.Add("space", [(Image, [a, b, c])]);

        Assert.Equal(rounded, Get(cache, "space", Image)!);
        // Beyond float16's reach nothing is lost.
        if (c == 70_000f) Assert.Equal([a, b, c], rounded);
        else Assert.True(float.IsNaN(a) || rounded[1] != b);
    }

    [Fact]
    public void Contents_name_each_space_in_words()
    {
        using var folder = new TemporaryFolder();
        using var cache = FeatureCache.Open(folder.FullName);
        cache.Add("before", [(Image, [1, 2, 3])]);
        cache.Add(FeatureSpace.Of("key", FeatureScene.Backbone()), [(Image, [1, 2, 3]), (Other, [1, 2, 3])]);
        cache.Add(FeatureSpace.Of("before", FeatureScene.Backbone(preprocessing: Graft.Imaging.Preprocessing.KerasCaffe(8))), []);

        var contents = cache.Contents();

        Assert.Equal(["before", "key"], contents.Spaces.Select(space => space.Space.Key));
        Assert.Equal("tiny, layer relu, averaged: 6 numbers; 8×8 stretched, bilinear, rgb × 0.00392 − (0, 0, 0)", contents.Spaces[1].Space.ToString());
        Assert.Contains("bgr × 1 − (103.939, 116.779, 123.68)", contents.Spaces[0].Space.ToString(), StringComparison.Ordinal);
        Assert.Equal((2, 24), (contents.Spaces[1].Images, contents.Spaces[1].Bytes));
        Assert.Equal(DateOnly.FromDateTime(DateTime.UtcNow), contents.Spaces[1].LastUsed);
        Assert.InRange(contents.FileBytes, 1, 10_000_000);
    }

    [Fact]
    public void First_layout_is_brought_up_to_date_with_all_it_holds()
    {
        using var folder = new TemporaryFolder();
        using (var first = new SqliteConnection($"Data Source={Path.Combine(folder.FullName, "features.sqlite")};Pooling=False"))
        {
            first.Open();
            using var command = first.CreateCommand();
            command.CommandText =
                """
                PRAGMA journal_mode = WAL;
                CREATE TABLE space (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE);
                CREATE TABLE feature (space INTEGER NOT NULL REFERENCES space (id), image BLOB NOT NULL, value BLOB NOT NULL);
                CREATE UNIQUE INDEX feature_of_image ON feature (space, image);
                INSERT INTO space (key) VALUES ('a'), ('b');
                INSERT INTO feature VALUES (1, x'010203', x'0000803F0000004000004040'), (2, x'040506', x'000080BF0000004000004040');
                """;
            command.ExecuteNonQuery();
        }

        using var cache = FeatureCache.Open(folder.FullName);

        Assert.Equal([1, 2, 3], Get(cache, "a", Image)!);
        Assert.Equal([-1, 2, 3], Get(cache, "b", Other)!);
        Assert.Null(Get(cache, "b", Image));
        Assert.Equal(0, cache.Verify(cancellation: TestContext.Current.CancellationToken).Damaged);
        cache.Add("a", [(Other, [7, 8, 9])]);
        Assert.Equal([7, 8, 9], Get(cache, "a", Other)!);
    }

    [Fact]
    public void Layout_of_a_newer_version_is_left_alone()
    {
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.FullName, "features.sqlite");
        using (var newer = new SqliteConnection($"Data Source={file};Pooling=False"))
        {
            newer.Open();
            using var command = newer.CreateCommand();
            command.CommandText = "CREATE TABLE wonder (id); PRAGMA user_version = 99";
            command.ExecuteNonQuery();
        }

        var problem = Assert.Throws<FeatureCacheException>(() => FeatureCache.Open(folder.FullName));

        Assert.Contains("newer version", problem.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder.FullName, "*.damaged*"));
    }

    [Fact]
    public void Clearing_removes_what_was_chosen_and_nothing_else()
    {
        using var folder = new TemporaryFolder();
        using (var old = FeatureCache.Open(folder.FullName, new() { Clock = new Day(2020) })) old.Add("a", [(Image, [1, 2, 3])]);
        using var cache = FeatureCache.Open(folder.FullName);
        cache.Add("a", [(Other, [4, 5, 6])]);
        cache.Add("b", [(Image, [1, 2, 3])]);
        var foreign = folder.File("notes.txt");
        File.WriteAllText(foreign, "mine");

        var removed = Assert.Single(cache.Clear(usedBefore: new(2021, 1, 1)));
        Assert.Equal(("a", 1, 12), (removed.Space.Key, removed.Images, removed.Bytes));
        Assert.Equal([null, [4, 5, 6]], cache.Read("a", [Image, Other], 3));

        Assert.Equal("b", Assert.Single(cache.Clear(space => space.Space.Key == "b")).Space.Key);
        Assert.Equal("a", Assert.Single(cache.Contents().Spaces).Space.Key);

        Assert.Single(cache.Clear());
        Assert.Empty(cache.Contents().Spaces);
        Assert.True(File.Exists(foreign));
        cache.Add("b", [(Image, [1, 2, 3])]);
        Assert.Equal([1, 2, 3], Get(cache, "b", Image)!);
    }

    [Fact]
    public void Clearing_gives_the_room_back_to_the_disk()
    {
        using var folder = new TemporaryFolder();
        using var cache = FeatureCache.Open(folder.FullName);
        for (byte i = 0; i < 50; i++) cache.Add("space", [([i], new float[10_000])]);
        Assert.InRange(cache.Contents().FileBytes, 2_000_000, long.MaxValue);

        cache.Clear();

        Assert.InRange(cache.Contents().FileBytes, 1, 100_000);
    }

    private sealed class Day(int year) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => new(year, 6, 1, 0, 0, 0, TimeSpan.Zero);
    }
}
