using Graft.Features;

namespace Graft.Tests.Features;

public sealed class FeatureSimilarityTests
{
    [Fact]
    public void Pairs_are_those_that_a_plain_loop_finds()
    {
        var random = new Random(1);
        var center = Enumerable.Range(0, 16).Select(_ => random.NextSingle() - 0.5f).ToArray();
        float[][] rows = [.. Enumerable.Range(0, 60).Select(row => center.Select(value => (1 + row) * (value + 0.25f * (random.NextSingle() - 0.5f))).ToArray())];
        var expected = (from a in Enumerable.Range(0, 60) from b in Enumerable.Range(a + 1, 59 - a) where Cosine(rows[a], rows[b]) >= 0.96 select (a, b)).ToList();

        Assert.InRange(expected.Count, 10, 1700);
        Assert.Equal(expected, FeatureSimilarity.Pairs(rows, [16], least: 0.96, TestContext.Current.CancellationToken).Order());
    }

    [Fact]
    public void Rows_of_zeros_are_like_none_and_no_pair_is_no_error()
    {
        Assert.Empty(FeatureSimilarity.Pairs([new float[4], new float[4], [1, 0, 0, 0], [0, 1, 0, 0]], [4], least: 0.9, TestContext.Current.CancellationToken));
        Assert.Empty(FeatureSimilarity.Pairs([], [4], least: 0.9, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Networks_of_a_combination_count_the_same_however_large_their_numbers()
    {
        // The first network sees no difference, the second one two things at right angles: (1 + 0) / 2.
        float[][] rows = [[1000, 0, 1, 0], [1000, 0, 0, 1]];

        Assert.Equal([(0, 1)], FeatureSimilarity.Pairs(rows, [2, 2], least: 0.499, TestContext.Current.CancellationToken));
        Assert.Empty(FeatureSimilarity.Pairs(rows, [2, 2], least: 0.501, TestContext.Current.CancellationToken));
    }

    private static double Cosine(float[] a, float[] b) =>
        a.Zip(b, (x, y) => (double)x * y).Sum() / Math.Sqrt(a.Sum(x => (double)x * x) * b.Sum(x => (double)x * x));
}
