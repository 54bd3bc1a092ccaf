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

    /// <summary>The losses of batches of 32 photos scatter by a quarter; what is learned is the same each time.</summary>
    [Fact]
    public void Suggestions_of_noisy_sweeps_agree_within_a_factor_of_5()
    {
        var suggestions = Enumerable.Range(1, 20).Select(seed => Noisy(seed).Suggestion).ToList();

        Assert.InRange(suggestions.Max() / suggestions.Min(), 1, 5);
        Assert.InRange(suggestions.Min(), 1e-4, 1e-2);
    }

    /// <summary>The loss falls around 2e-3 and diverges beyond 0.1; averaged as the finder does.</summary>
    private static LearningRateSweep Noisy(int seed)
    {
        var random = new Random(seed);
        var (average, trials) = (0.0, new List<LearningRateTrial>());
        for (var step = 0; step < 100; step++)
        {
            var rate = 1e-7 * Math.Pow(1e7, step / 99.0);
            var noise = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            var loss = 2.3 - 1.2 / (1 + Math.Pow(rate / 2e-3, -1)) + Math.Pow(rate / 0.15, 3) + 0.25 * noise;
            average = 0.9 * average + 0.1 * loss;
            trials.Add(new(rate, loss, average / (1 - Math.Pow(0.9, step + 1))));
        }
        return new(Stage, trials);
    }
}
