using Graft.Evaluation;

namespace Graft.Tests.Evaluation;

public class ComparisonTests
{
    /// <summary>Expected values of scipy.stats.binomtest.</summary>
    [Theory]
    [InlineData(3, 12, 0.03515625)]
    [InlineData(0, 6, 0.03125)]
    [InlineData(40, 60, 0.05688793364098088)]
    [InlineData(1400, 1200, 9.44223476534101e-05)]
    [InlineData(5, 5, 1)]
    [InlineData(0, 0, 1)]
    public void Two_models_differ_by_the_images_that_one_alone_gets_right(int onlyFirst, int onlySecond, double pValue)
    {
        bool[] first = [.. Enumerable.Repeat(true, onlyFirst), .. Enumerable.Repeat(false, onlySecond), true, false];
        bool[] second = [.. Enumerable.Repeat(false, onlyFirst), .. Enumerable.Repeat(true, onlySecond), true, false];

        var test = McNemarTest.Of(first, second);

        Assert.Equal((onlyFirst, onlySecond), (test.OnlyFirst, test.OnlySecond));
        Assert.Equal(pValue, test.PValue, 1e-12);
    }

    [Fact]
    public void Interval_of_accuracy_is_that_of_the_binomial_distribution()
    {
        int[] truth = [.. Enumerable.Range(0, 400).Select(i => i % 2)];
        int[] predicted = [.. truth.Select((label, i) => i < 80 ? 1 - label : label)];

        var accuracy = ConfidenceInterval.OfShare(320, 400);
        var macroF1 = Bootstrap.MacroF1(ConfusionMatrix.Of(truth, predicted, ["a", "b"]));

        // 0.8 ± 1.96 · √(0.8 · 0.2 / 400), to Wilson's own shift of its middle.
        Assert.Equal(0.8 - 0.0392, accuracy.Low, 0.004);
        Assert.Equal(0.8 + 0.0392, accuracy.High, 0.004);
        Assert.Equal(accuracy.Low, macroF1.Low, 0.01);
    }

    [Fact]
    public void Same_seed_gives_the_same_interval()
    {
        var confusion = ConfusionMatrix.Of([0, 1, 1, 0, 1], [0, 1, 0, 0, 1], ["a", "b"]);

        Assert.Equal(Bootstrap.MacroF1(confusion), Bootstrap.MacroF1(confusion));
        Assert.NotEqual(Bootstrap.MacroF1(confusion), Bootstrap.MacroF1(ConfusionMatrix.Of([0, 1, 1, 0, 1], [0, 1, 0, 0, 0], ["a", "b"])));
    }

    [Fact]
    public void Honest_probabilities_are_calibrated_and_boastful_ones_are_not()
    {
        int[] labels = [.. Enumerable.Range(0, 100).Select(i => i < 80 ? 0 : 1)];

        var honest = Calibration.Of(labels, [.. labels.Select(_ => new[] { 0.8f, 0.2f })]);
        var boastful = Calibration.Of(labels, [.. labels.Select(_ => new[] { 1f, 0f })]);

        Assert.Equal(0, honest.ExpectedCalibrationError, 1e-7);
        Assert.Equal(0.2, boastful.ExpectedCalibrationError, 1e-7);
        Assert.Equal(0.32, honest.BrierScore, 1e-6);
        Assert.Equal(0.4, boastful.BrierScore, 1e-6);
        Assert.Equal(100, Assert.Single(boastful.NonEmptyBins).Count);
    }

    [Fact]
    public void Too_sure_here_and_too_modest_there_do_not_cancel_out()
    {
        // 20 images said to be right with 70 %, of which 10 are, and 20 with 77 %, of which 19 are.
        int[] labels = [.. Enumerable.Range(0, 40).Select(i => i < 10 || i is >= 20 and < 39 ? 0 : 1)];

        var calibration = Calibration.Of(labels, [.. Enumerable.Range(0, 40).Select(i => i < 20 ? new[] { 0.7f, 0.3f } : [0.77f, 0.23f])]);

        Assert.Equal([0.5, 0.95], calibration.NonEmptyBins.Select(bin => bin.Accuracy));
        Assert.Equal((0.2 + 0.18) / 2, calibration.ExpectedCalibrationError, 1e-7);
    }
}
