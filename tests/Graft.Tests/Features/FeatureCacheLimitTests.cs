using Graft.Features;
using Graft.Testing;

namespace Graft.Tests.Features;

public class FeatureCacheLimitTests
{
    private const long Limit = 1_000_000;
    private const int Length = 1000;

    private static byte[] Hash(int image) => System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(image));

    private static FeatureCache Open(TemporaryFolder folder, Day day, List<string>? warnings = null, long limit = Limit) =>
        FeatureCache.Open(folder.FullName, new() { LimitBytes = limit, Clock = day, Warn = warnings is null ? null : warnings.Add });

    private static void Add(FeatureCache cache, int from, int count)
    {
        for (var image = from; image < from + count; image += 10)
            cache.Add("space", [.. Enumerable.Range(image, Math.Min(10, from + count - image)).Select(i => (Hash(i), new float[Length]))]);
    }

    private static int Count(FeatureCache cache, int from, int count) =>
        cache.Read("space", [.. Enumerable.Range(from, count).Select(Hash)], Length).Count(row => row is not null);

    [Fact]
    public void What_was_used_least_recently_makes_room()
    {
        using var folder = new TemporaryFolder();
        using (var first = Open(folder, new(1))) Add(first, 0, 100);
        using (var second = Open(folder, new(2))) Add(second, 100, 100);
        using (var third = Open(folder, new(3))) Assert.Equal(50, Count(third, 50, 50));

        using var cache = Open(folder, new(4));
        Add(cache, 1000, 100);

        Assert.Equal(100, Count(cache, 1000, 100));
        Assert.Equal(0, Count(cache, 0, 50));
        Assert.Equal(50, Count(cache, 50, 50));
        Assert.InRange(Count(cache, 100, 100), 30, 99);
        Assert.InRange(cache.Contents().FileBytes - new FileInfo(Path.Combine(folder.FullName, "features.sqlite-wal")).Length, 1, Limit * 11 / 10);
    }

    [Fact]
    public void What_was_written_since_opening_stays_and_the_rest_of_the_run_is_not_kept()
    {
        using var folder = new TemporaryFolder();
        var warnings = new List<string>();
        using (var cache = Open(folder, new(1), warnings))
        {
            Add(cache, 0, 400);

            var kept = Count(cache, 0, 400);
            Assert.InRange(kept, 150, 260);
            Assert.Equal(kept, Count(cache, 0, kept));
            Assert.Contains("GRAFT_CACHE_LIMIT", Assert.Single(warnings), StringComparison.Ordinal);
        }

        using var next = Open(folder, new(2));
        Add(next, 1000, 50);
        Assert.Equal(50, Count(next, 1000, 50));
    }

    [Fact]
    public void Day_of_use_is_written_once_a_day_and_not_with_every_read()
    {
        using var folder = new TemporaryFolder();
        using (var first = Open(folder, new(1))) Add(first, 0, 100);
        var log = new FileInfo(Path.Combine(folder.FullName, "features.sqlite-wal"));
        using var watcher = Open(folder, new(2));

        using (var reader = Open(folder, new(2))) Count(reader, 0, 100);
        log.Refresh();
        var written = log.Length;
        using (var reader = Open(folder, new(2)))
            for (var i = 0; i < 10; i++) Count(reader, 0, 100);
        log.Refresh();

        Assert.InRange(written, 1, 100_000);
        Assert.Equal(written, log.Length);
        Assert.Equal(new Day(2).Date, Assert.Single(watcher.Contents().Spaces).LastUsed);
    }

    [Theory]
    [InlineData("500MB", 500_000_000)]
    [InlineData(" 1.5 gb ", 1_500_000_000)]
    [InlineData("2T", 2_000_000_000_000)]
    [InlineData("12345", 12_345)]
    [InlineData("0", 0)]
    [InlineData("", FeatureCacheOptions.DefaultLimitBytes)]
    [InlineData(null, FeatureCacheOptions.DefaultLimitBytes)]
    public void Limit_comes_from_the_environment(string? text, long bytes) =>
        Assert.Equal(bytes, FeatureCacheOptions.FromEnvironment(name => name == "GRAFT_CACHE_LIMIT" ? text : null).LimitBytes);

    [Theory]
    [InlineData("much")]
    [InlineData("-1GB")]
    [InlineData("1 GBB")]
    [InlineData("NaN")]
    public void What_is_no_size_is_refused_with_an_example(string text)
    {
        var problem = Assert.Throws<GraftException>(() => FeatureCacheOptions.FromEnvironment(_ => text));

        Assert.Contains("20GB", problem.Message, StringComparison.Ordinal);
    }

    private sealed class Day(int day) : TimeProvider
    {
        public DateOnly Date => new(2026, 1, day);

        public override DateTimeOffset GetUtcNow() => new(Date, TimeOnly.MinValue, TimeSpan.Zero);
    }
}
