using Graft.Evaluation;

namespace Graft.Tests.Evaluation;

public class ClopperPearsonTests
{
    /// <summary>scipy.stats.beta.ppf, SciPy 1.10.</summary>
    [Theory]
    [InlineData(149, 149, 0.05, 0.9800951837793149)]
    [InlineData(8, 10, 0.025, 0.4439045376923585)]
    [InlineData(950, 1000, 0.025, 0.9346095120845064)]
    public void Lower_bound_is_a_quantile_of_the_beta_distribution(int successes, int count, double risk, double expected) =>
        Assert.Equal(expected, ClopperPearson.LowerBound(successes, count, risk), 1e-12);

    [Theory]
    [InlineData(8, 10, 0.9747892736731666)]
    [InlineData(950, 1000, 0.9626646023953382)]
    public void Upper_end_is_one_too(int successes, int count, double expected) => Assert.Equal(expected, ClopperPearson.Interval(successes, count).High, 1e-12);

    [Fact]
    public void Nothing_and_all_are_certain_on_one_side()
    {
        Assert.Equal(0, ClopperPearson.LowerBound(0, 5));
        Assert.Equal(1, ClopperPearson.UpperBound(5, 5));
    }

    /// <summary>One photo fewer does not show it.</summary>
    [Theory]
    [InlineData(0.95, 59)]
    [InlineData(0.98, 149)]
    public void Least_count_is_what_a_promise_needs(double share, int expected)
    {
        Assert.Equal(expected, ClopperPearson.LeastCount(share));
        Assert.True(ClopperPearson.LowerBound(expected, expected) >= share);
        Assert.True(ClopperPearson.LowerBound(expected - 1, expected - 1) < share);
    }
}
