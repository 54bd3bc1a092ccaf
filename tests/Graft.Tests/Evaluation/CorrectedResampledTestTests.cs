using Graft.Evaluation.Transferability;

namespace Graft.Tests.Evaluation;

public class CorrectedResampledTestTests
{
    private static readonly double[] First = [0.90, 0.85, 0.88, 0.92, 0.86], Second = [0.86, 0.84, 0.85, 0.88, 0.86];

    /// <summary>
    /// Differences 0.04, 0.01, 0.03, 0.04, 0: mean 0.024, squared deviations 0.00132 / 4 = 0.00033; error √(0.00033 · (1/5 + 1/4)) = 0.012186, t = 1.96946.
    /// The p-value is 2 · scipy.stats.t.sf(t, 4). A plain t-test, √(0.00033 / 5), would call it significant: p = 0.0418.
    /// </summary>
    [Fact]
    public void Variance_counts_that_training_sets_overlap()
    {
        var test = CorrectedResampledTest.Of(First, Second, heldOutShare: 0.25);

        Assert.Equal(0.024, test.Difference, 1e-12);
        Assert.Equal(Math.Sqrt(0.00033 * 0.45), test.StandardError, 1e-12);
        Assert.Equal(0.12024334063356444, test.PValue, 1e-10);
    }

    /// <summary>Of scipy.stats.t.sf.</summary>
    [Theory]
    [InlineData(2.776445105197793, 4, 0.05)]
    [InlineData(1.5, 9, 0.16785065605707486)]
    [InlineData(-0.3, 1, 0.8144528418445154)]
    [InlineData(2.0, 2, 0.1835034190722739)]
    [InlineData(5.0, 19, 7.949974998417634e-05)]
    public void Probability_is_that_of_Students_distribution(double t, int freedom, double expected) =>
        Assert.Equal(expected, CorrectedResampledTest.TwoSided(t, freedom), 1e-10);

    /// <summary>Of scipy.stats.t.ppf.</summary>
    [Theory]
    [InlineData(1, 12.706204736432095)]
    [InlineData(4, 2.7764451051977987)]
    [InlineData(99, 1.9842169515086827)]
    public void Quantile_is_that_of_Students_distribution(int freedom, double expected) =>
        Assert.Equal(expected, CorrectedResampledTest.Quantile(freedom), 1e-8);

    [Fact]
    public void Interval_has_the_corrected_variance_and_stays_between_0_and_1()
    {
        var interval = CorrectedResampledTest.Interval(First, heldOutShare: 0.25);

        Assert.Equal(0.8286662311590185, interval.Low, 1e-9);
        Assert.Equal(0.9353337688409815, interval.High, 1e-9);
        Assert.Equal(1, CorrectedResampledTest.Interval([1, 0.9, 1, 0.8], heldOutShare: 0.25).High);
    }

    [Fact]
    public void Equal_scores_are_equally_good()
    {
        Assert.Equal(1, CorrectedResampledTest.Of(First, First, heldOutShare: 0.25).PValue);
        Assert.Equal(0, CorrectedResampledTest.Of([0.9, 0.9], [0.8, 0.8], heldOutShare: 0.25).PValue);
    }
}
