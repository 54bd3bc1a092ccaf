using Graft.Networks;
using Graft.Training;

namespace Graft.Tests.Training;

public class LearningRateFinderTests
{
    private static readonly TrainingStage Stage = new(
        1, "full", FreezePlan.All(new("none", [new("input", new Input(3, 0, 0), [])])), new());

    private static LearningRateSweep Sweep(params double[] losses) =>
        new(Stage, [.. losses.Select((loss, index) => new LearningRateTrial(Math.Pow(10, index / 2.0 - 5), loss, loss))]);

    [Fact]
    public void Suggestion_is_a_tenth_of_the_rate_of_the_lowest_loss()
    {
        var sweep = Sweep(2.0, 1.99, 1.98, 1.97, 1.9, 1.0, 0.8, 5);

        Assert.Equal((1e-2, 0.8), (sweep.Lowest.LearningRate, sweep.Lowest.Loss));
        Assert.Equal(Math.Pow(10, -2.5), sweep.Steepest.LearningRate, 12);
        Assert.Equal(1e-3, sweep.Suggestion, 12);
    }

    [Fact]
    public void Suggestion_is_no_higher_than_where_the_loss_falls_most()
    {
        var sweep = Sweep(2.0, 0.9, 0.8, 0.78, 0.77, 0.76, 5);

        Assert.Equal(Math.Pow(10, -4.5), sweep.Steepest.LearningRate, 12);
        Assert.Equal(sweep.Steepest.LearningRate, sweep.Suggestion);
    }

    [Fact]
    public void Loss_that_only_rises_leaves_the_lowest_rate()
    {
        var sweep = Sweep(1, 2, 3);

        Assert.Equal(sweep.Lowest, sweep.Steepest);
        Assert.Equal(1e-6, sweep.Suggestion, 12);
    }
}
