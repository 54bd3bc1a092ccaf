using Graft.Evaluation;

namespace Graft.Tests.Evaluation;

/// <summary>95 % intervals hold the truth in about 95 of 100 experiments, with few photos too.</summary>
public class IntervalTests
{
    /// <summary>Wilson's formula, evaluated apart.</summary>
    [Theory]
    [InlineData(10, 10, 0.7224672001371107, 1)]
    [InlineData(0, 10, 0, 0.2775327998628892)]
    [InlineData(27, 30, 0.7437892, 0.9654001)]
    public void Interval_of_a_share_is_Wilson_s(int correct, int count, double low, double high)
    {
        var interval = ConfidenceInterval.OfShare(correct, count);

        Assert.Equal(low, interval.Low, 1e-6);
        Assert.Equal(high, interval.High, 1e-6);
    }

    /// <summary>
    /// With 15 photos only a few accuracies can be seen, and the coverage jumps by several points with the true one: it is measured for those
    /// around each, as it is not known.
    /// </summary>
    [Theory]
    [InlineData(15, 0.8)]
    [InlineData(15, 0.95)]
    [InlineData(15, 0.97)]
    [InlineData(30, 0.8)]
    [InlineData(30, 0.95)]
    [InlineData(30, 0.97)]
    [InlineData(50, 0.8)]
    [InlineData(50, 0.95)]
    [InlineData(50, 0.97)]
    [InlineData(300, 0.8)]
    [InlineData(300, 0.95)]
    [InlineData(300, 0.97)]
    public void Interval_of_accuracy_holds_the_true_one_in_93_to_97_of_100(int count, double accuracy)
    {
        var random = new Random(1);
        var (covered, experiments) = (0, 40_000);
        for (var experiment = 0; experiment < experiments; experiment++)
        {
            var truth = count == 15 ? accuracy + 0.05 * (random.NextDouble() - 0.5) : accuracy;
            var correct = Enumerable.Range(0, count).Count(_ => random.NextDouble() < truth);
            var interval = ConfidenceInterval.OfShare(correct, count);
            if (interval.Low <= truth && truth <= interval.High) covered++;
        }

        Assert.InRange((double)covered / experiments, 0.93, 0.97);
    }

    [Theory]
    [InlineData(15, 0.8)]
    [InlineData(15, 0.95)]
    [InlineData(15, 0.97)]
    [InlineData(30, 0.8)]
    [InlineData(30, 0.95)]
    [InlineData(30, 0.97)]
    [InlineData(50, 0.8)]
    [InlineData(50, 0.95)]
    [InlineData(50, 0.97)]
    [InlineData(300, 0.8)]
    [InlineData(300, 0.95)]
    [InlineData(300, 0.97)]
    public void Interval_of_macro_F1_holds_the_true_one_in_93_to_97_of_100(int count, double accuracy)
    {
        var random = new Random(1);
        string[] classes = ["a", "b", "c"];
        int[] truth = [.. Enumerable.Range(0, count).Select(image => image % 3)];
        var (covered, experiments) = (0, count == 300 ? 600 : 2000);
        for (var experiment = 0; experiment < experiments; experiment++)
        {
            var share = count == 15 ? accuracy + 0.05 * (random.NextDouble() - 0.5) : accuracy;
            int[] predicted = [.. truth.Select(label => random.NextDouble() < share ? label : (label + random.Next(1, 3)) % 3)];
            // All classes have as many photos and are mistaken as often, so the true F1 is the accuracy.
            var interval = Bootstrap.MacroF1(ConfusionMatrix.Of(truth, predicted, classes), experiment, resamples: 200);
            if (interval.Low <= share && share <= interval.High) covered++;
        }

        Assert.InRange((double)covered / experiments, 0.93, 0.97);
    }

    [Fact]
    public void Photos_that_all_are_correct_leave_a_doubt()
    {
        int[] truth = [.. Enumerable.Range(0, 15).Select(image => image % 3)];
        var result = EvaluationResult.Of(
            ["a", "b", "c"], truth,
            [.. truth.Select(label => Enumerable.Range(0, 3).Select(other => other == label ? 0.9f : 0.05f).ToArray())]);

        Assert.InRange(result.AccuracyInterval.Low, 0.75, 0.85);
        Assert.Equal(1, result.AccuracyInterval.High);
        Assert.InRange(result.MacroF1Interval.Low, 0.7, 0.95);
        Assert.Equal(1, result.MacroF1Interval.High);
    }

    /// <summary>Both first probabilities are 1 in float32; the second ones differ.</summary>
    [Fact]
    public void Two_classes_are_told_apart_by_the_second_column()
    {
        var result = EvaluationResult.Of(["a", "b"], [0, 1], [[1f, 1e-12f], [1f, 1e-9f]]);

        Assert.Equal(1, result.RocAuc);
        Assert.All(result.OneVersusRest, one => Assert.Equal(1, one.RocAuc));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Probabilities_that_are_not_finite_are_refused_with_their_image(float value) => Assert.Contains(
        "probabilities of image 2",
        Assert.Throws<GraftException>(() => EvaluationResult.Of(["a", "b"], [0, 1], [[0.5f, 0.5f], [value, 0.5f]])).Message,
        StringComparison.Ordinal);

    [Fact]
    public void Logits_that_are_not_finite_have_no_probabilities() => Assert.Contains(
        "class 2 is NaN", Assert.Throws<GraftException>(() => Graft.Classifiers.Probabilities.Softmax([1, float.NaN])).Message, StringComparison.Ordinal);
}
