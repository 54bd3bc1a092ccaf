using Graft.Features;
using Graft.Testing;

namespace Graft.Tests.Features;

/// <summary>Flipped bytes, full disks, others at work: a cache never gives anything but what was put in, and stops nobody.</summary>
public class FeatureCacheDamageTests
{
    private const int Images = 300, Length = 600;

    private static readonly byte[][] Hashes =
        [.. Enumerable.Range(0, Images).Select(i => System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(i)))];

    private static float[] Features(int image) => [.. Enumerable.Range(0, Length).Select(i => image + i / 1000f)];

    private static void Fill(string folder)
    {
        using var cache = FeatureCache.Open(folder);
        cache.Add(FeatureSpace.Of("space", FeatureScene.Backbone()), [.. Hashes.Select((hash, i) => (hash, Features(i)))]);
    }

    private static string DatabaseIn(TemporaryFolder folder) => Path.Combine(folder.FullName, "features.sqlite");

    private static int Count(FeatureCache cache)
    {
        var rows = cache.Read("space", Hashes, Length);
        for (var i = 0; i < Images; i++)
            if (rows[i] is { } row) Assert.Equal(Features(i), row);
        return rows.Count(row => row is not null);
    }

    [Fact]
    public void Flipped_byte_of_a_value_is_found_said_and_replaced()
    {
        using var folder = new TemporaryFolder();
        Fill(folder.FullName);
        var bytes = File.ReadAllBytes(DatabaseIn(folder));
        var place = bytes.AsSpan().IndexOf(System.Runtime.InteropServices.MemoryMarshal.AsBytes(Features(7).AsSpan(300, 20)));
        bytes[place + 5] ^= 0x10;
        File.WriteAllBytes(DatabaseIn(folder), bytes);
        var warnings = new List<string>();

        using var cache = FeatureCache.Open(folder.FullName, new() { Warn = warnings.Add });

        Assert.Equal(Images - 1, Count(cache));
        Assert.Null(cache.Read("space", Hashes, Length)[7]);
        Assert.Equal("The feature cache held 1 damaged feature; it is computed again.", warnings[0]);
        cache.Add("space", [(Hashes[7], Features(7))]);
        Assert.Equal(Images, Count(cache));
        Assert.Equal(0, cache.Verify(cancellation: TestContext.Current.CancellationToken).Damaged);
    }

    [Fact]
    public void Verifying_finds_a_flipped_byte_and_removes_what_it_spoiled()
    {
        using var folder = new TemporaryFolder();
        Fill(folder.FullName);
        var bytes = File.ReadAllBytes(DatabaseIn(folder));
        bytes[bytes.AsSpan().IndexOf(System.Runtime.InteropServices.MemoryMarshal.AsBytes(Features(7).AsSpan(300, 20)))] ^= 1;
        File.WriteAllBytes(DatabaseIn(folder), bytes);

        using var cache = FeatureCache.Open(folder.FullName);
        var (first, second) = (cache.Verify(cancellation: TestContext.Current.CancellationToken), cache.Verify(cancellation: TestContext.Current.CancellationToken));

        Assert.Equal((1, 0), (first.Damaged, second.Damaged));
        Assert.Equal(Images - 1, Assert.Single(second.Sound).Sound);
    }

    /// <summary>Wherever a byte is flipped, what is read is what was written, and nothing but a cache problem is thrown.</summary>
    [Fact]
    public void Flipped_bytes_anywhere_never_give_wrong_features()
    {
        using var folder = new TemporaryFolder();
        Fill(folder.FullName);
        var sound = File.ReadAllBytes(DatabaseIn(folder));
        var random = new Random(5);
        var kept = 0;
        for (var round = 0; round < 25; round++)
        {
            using var other = new TemporaryFolder();
            var bytes = sound.ToArray();
            for (var flip = 0; flip < 1 + round % 20; flip++) bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(DatabaseIn(other), bytes);
            try
            {
                using (var cache = FeatureCache.Open(other.FullName))
                {
                    kept += Count(cache);
                    cache.Add("space", [.. Hashes.Select((hash, i) => (hash, Features(i)))]);
                }
                using var again = FeatureCache.Open(other.FullName);
                Assert.Equal(Images, Count(again));
            }
            catch (FeatureCacheException)
            {
                // Given up for one run.
            }
        }
        Assert.InRange(kept, Images * 15, Images * 25);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    public void Destroyed_database_is_put_aside_and_a_new_one_begun(int intact)
    {
        using var folder = new TemporaryFolder();
        Fill(folder.FullName);
        var bytes = File.ReadAllBytes(DatabaseIn(folder));
        bytes.AsSpan(intact).Fill(0x5a);
        File.WriteAllBytes(DatabaseIn(folder), bytes);
        // What a killed process leaves beside it belongs to the damaged database, not to the new one.
        File.WriteAllBytes(DatabaseIn(folder) + "-wal", [1, 2, 3]);
        var warnings = new List<string>();

        using var cache = FeatureCache.Open(folder.FullName, new() { Warn = warnings.Add });

        Assert.Equal(0, Count(cache));
        cache.Add("space", [(Hashes[0], Features(0))]);
        Assert.Equal(1, Count(cache));
        var aside = Assert.Single(Directory.GetFiles(folder.FullName, "features.sqlite.damaged-??????????????"));
        Assert.Equal(bytes, File.ReadAllBytes(aside));
        Assert.Contains(aside, Assert.Single(warnings), StringComparison.Ordinal);
        cache.Clear();
        Assert.Empty(Directory.GetFiles(folder.FullName, "features.sqlite.damaged-*"));
    }

    [Fact]
    public void What_can_be_read_of_a_database_with_a_destroyed_page_is_kept()
    {
        using var folder = new TemporaryFolder();
        Fill(folder.FullName);
        using (var file = File.OpenWrite(DatabaseIn(folder)))
        {
            file.Position = file.Length / 4096 / 2 * 4096;
            file.Write(Enumerable.Repeat((byte)0x5a, 4096).ToArray());
        }
        var warnings = new List<string>();

        using var cache = FeatureCache.Open(folder.FullName, new() { Warn = warnings.Add });

        Assert.Equal(Images, Count(cache) + cache.Verify(cancellation: TestContext.Current.CancellationToken).Damaged + Hashes.Length - Assert.Single(cache.Contents().Spaces).Images);
        Assert.InRange(Count(cache), Images - 20, Images - 1);
        Assert.Equal("tiny", cache.Contents().Spaces[0].Space.Backbone);
        cache.Add("space", [.. Hashes.Select((hash, i) => (hash, Features(i)))]);
        Assert.Equal(Images, Count(cache));
    }

    [Fact]
    public void Damaged_database_is_not_taken_away_from_others_that_use_it()
    {
        using var folder = new TemporaryFolder();
        Fill(folder.FullName);
        using var other = FeatureCache.Open(folder.FullName);
        var bytes = File.ReadAllBytes(DatabaseIn(folder));
        bytes.AsSpan(100).Fill(0x5a);
        File.WriteAllBytes(DatabaseIn(folder), bytes);

        var problem = Assert.Throws<FeatureCacheException>(() => FeatureCache.Open(folder.FullName));

        Assert.Contains("other processes", problem.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder.FullName, "features.sqlite.damaged-*"));
    }

    [Fact]
    public void Full_disk_is_a_cache_problem_and_leaves_what_was_kept_before()
    {
        using var folder = new TemporaryFolder();
        using var cache = FeatureCache.Open(folder.FullName, new() { DiskPages = 100 });
        var kept = 0;

        Assert.Throws<FeatureCacheException>(() =>
        {
            for (; kept < Images; kept += 10)
                cache.Add("space", [.. Enumerable.Range(kept, 10).Select(i => (Hashes[i], Features(i)))]);
        });

        Assert.InRange(kept, 10, Images - 10);
        Assert.Equal(kept, Count(cache));
        cache.Clear();
        cache.Add("space", [(Hashes[0], Features(0))]);
        Assert.Equal(1, Count(cache));
    }

    [Fact]
    public void Extraction_on_a_full_disk_gives_all_features_with_one_warning()
    {
        using var scene = new FeatureScene();
        var photos = scene.Photos(200);
        var warnings = new List<string>();
        using var cache = FeatureCache.Open(scene.CacheFolder, new() { DiskPages = 9, Warn = warnings.Add });
        using var extractor = new FeatureExtractor(FeatureScene.Backbone(), cache, warnings.Add);

        var set = extractor.Extract(photos, cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(200, set.Rows.Count);
        Assert.Contains("without the cache", Assert.Single(warnings), StringComparison.Ordinal);
    }
}
