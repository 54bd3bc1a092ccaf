using System.Security.Cryptography;
using Graft.Data;

namespace Graft.Tests.Data;

public class ShardTests
{
    private static Shard Parse(string text, params (string Name, string Value)[] environment)
    {
        var known = environment.ToDictionary(entry => entry.Name, entry => entry.Value);
        return Shard.Parse(text, name => known.GetValueOrDefault(name));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(7)]
    public void Every_content_is_in_one_shard_and_shards_are_alike_in_size(int count)
    {
        var sizes = new int[count];
        for (var photo = 0; photo < 3000; photo++)
        {
            var hash = SHA256.HashData(BitConverter.GetBytes(photo));
            var holding = Enumerable.Range(1, count).Where(number => new Shard(number, count).Holds(hash)).ToList();
            sizes[Assert.Single(holding) - 1]++;
        }

        Assert.All(sizes, size => Assert.InRange(size, 3000 / count * 0.8, 3000 / count * 1.2));
    }

    [Fact]
    public void Schedulers_say_which_shard_a_job_is()
    {
        (string, string)[] slurm = [("SLURM_ARRAY_TASK_ID", "12"), ("SLURM_ARRAY_TASK_MIN", "10"), ("SLURM_ARRAY_TASK_MAX", "17"), ("SLURM_ARRAY_TASK_COUNT", "8"), ("SLURM_ARRAY_TASK_STEP", "1")];

        Assert.Equal("3/8", Parse("auto", slurm).ToString());
        Assert.Equal("3/8", Parse("auto", ("SLURM_ARRAY_TASK_ID", "4"), ("SLURM_ARRAY_TASK_MIN", "0"), ("SLURM_ARRAY_TASK_MAX", "14"), ("SLURM_ARRAY_TASK_COUNT", "8"), ("SLURM_ARRAY_TASK_STEP", "2")).ToString());
        Assert.Equal("1/5", Parse("auto/5", ("JOB_COMPLETION_INDEX", "0")).ToString());
        Assert.Equal("4/4", Parse("auto", ("AWS_BATCH_JOB_ARRAY_INDEX", "3"), ("AWS_BATCH_JOB_ARRAY_SIZE", "4")).ToString());
        Assert.Equal("2/3", Parse("auto", ("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_SIZE", "3")).ToString());
        Assert.Equal("2/9", Parse("2/9", slurm).ToString());
    }

    [Theory]
    [InlineData("0/3", "There is no shard 0/3")]
    [InlineData("4/3", "There is no shard 4/3")]
    [InlineData("-1/3", "is no shard")]
    [InlineData("1/3/5", "is no shard")]
    [InlineData("two", "is no shard")]
    [InlineData("auto/x", "is no shard")]
    [InlineData("auto", "No scheduler says")]
    public void What_is_no_shard_is_refused(string text, string words) =>
        Assert.Contains(words, Assert.Throws<GraftException>(() => Parse(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void Jobs_that_would_leave_photos_out_are_refused()
    {
        Assert.Contains("how many", Assert.Throws<GraftException>(() => Parse("auto", ("JOB_COMPLETION_INDEX", "0"))).Message, StringComparison.Ordinal);
        Assert.Contains("There is no shard 6/5", Assert.Throws<GraftException>(() => Parse("auto/5", ("JOB_COMPLETION_INDEX", "5"))).Message, StringComparison.Ordinal);
        Assert.Contains("leaves numbers out", Assert.Throws<GraftException>(() => Parse(
            "auto", ("SLURM_ARRAY_TASK_ID", "1"), ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_MAX", "9"), ("SLURM_ARRAY_TASK_COUNT", "3"))).Message, StringComparison.Ordinal);
        Assert.Contains("runs 4 jobs, and 5 shards", Assert.Throws<GraftException>(() => Parse(
            "auto/5", ("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_SIZE", "4"))).Message, StringComparison.Ordinal);
    }
}
