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

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Damaged_database_is_kept_aside_and_a_new_one_begun(bool headerRemains)
    {
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.FullName, "features.sqlite");
        using (var cache = FeatureCache.Open(folder.FullName)) cache.Add("space", [(Image, [1, 2, 3])]);
        var bytes = File.ReadAllBytes(file);
        bytes.AsSpan(headerRemains ? 100 : 0).Fill(0x5a);
        File.WriteAllBytes(file, bytes);
        // What a killed process leaves beside it belongs to the damaged database, not to the new one.
        File.WriteAllBytes(file + "-wal", [1, 2, 3]);

        using var again = FeatureCache.Open(folder.FullName);

        Assert.Null(Get(again, "space", Image));
        again.Add("space", [(Image, [4, 5, 6])]);
        Assert.Equal([4, 5, 6], Get(again, "space", Image)!);
        Assert.Equal(bytes, File.ReadAllBytes(Assert.Single(Directory.GetFiles(folder.FullName, "features.sqlite.damaged-*"))));
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
        using (var other = new SqliteConnection($"Data Source={Path.Combine(folder.FullName, "features.sqlite")};Pooling=False"))
        {
            other.Open();
            using var command = other.CreateCommand();
            command.CommandText = "DROP TABLE feature";
            command.ExecuteNonQuery();
        }
        Assert.Throws<FeatureCacheException>(() => Get(cache, "space", Image));
        Assert.Throws<FeatureCacheException>(() => cache.Add("space", [(Image, [1, 2, 3])]));

        cache.Dispose();

        Assert.Throws<FeatureCacheException>(() => Get(cache, "space", Image));
        Assert.Throws<FeatureCacheException>(() => cache.Add("space", [(Image, [1, 2, 3])]));
    }
}
