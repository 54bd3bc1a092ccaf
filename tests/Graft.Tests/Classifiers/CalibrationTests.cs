using Graft.Classifiers;
using Graft.Evaluation;
using Graft.Networks;
using Graft.Training;
using static TorchSharp.torch;

namespace Graft.Tests.Classifiers;

/// <summary>How sure classifiers are, against how often they are correct.</summary>
public class CalibrationTests
{
    private static readonly FeatureClassifier[] All =
    [
        new LogisticRegression(), new LinearSvm(), new RbfSvm(), new GaussianNaiveBayes(), new NearestNeighbors(), new NearestClassMean(),
    ];

    public static TheoryData<int> Classifiers => [.. Enumerable.Range(0, All.Length)];

    /// <summary>Points around a corner of the cube for each class, normally distributed.</summary>
    private static (float[][] Rows, int[] Labels) Clouds(int classes, int each, double width, int seed)
    {
        var random = new Random(seed);
        int[] labels = [.. Enumerable.Range(0, classes * each).Select(image => image % classes)];
        return ([.. labels.Select(label => Enumerable.Range(0, 24)
            .Select(feature => (float)((feature % classes == label ? 1 : 0) + width * Gaussian())).ToArray())], labels);

        double Gaussian() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
    }

    private static FittedClassifier Fit(FeatureClassifier classifier, float[][] rows, int[] labels) =>
        classifier.Fit(rows, labels, labels.Max() + 1, cancellation: TestContext.Current.CancellationToken);

    private static IReadOnlyList<float[]> ProbabilitiesOf(FittedClassifier fitted, float[][] rows)
    {
        using var module = fitted.ToModule(new("features", [new("features", new Input(rows[0].Length, 0, 0), [])]));
        return [.. Trainer.Outputs(module, new ExamplesInMemory(rows, new int[rows.Length]), 256, TestContext.Current.CancellationToken).Select(Probabilities.Softmax)];
    }

    private static int Largest(float[] row) => Array.IndexOf(row, row.Max());

    [Theory]
    [MemberData(nameof(Classifiers))]
    public void Confidence_is_what_is_correct(int index)
    {
        var (rows, labels) = Clouds(classes: 12, each: 25, width: 0.4, seed: 1);
        var (others, truth) = Clouds(classes: 12, each: 200, width: 0.4, seed: 2);

        var probabilities = ProbabilitiesOf(Fit(All[index], rows, labels), others);
        var calibration = Calibration.Of(truth, probabilities);

        Assert.InRange(calibration.ExpectedCalibrationError, 0, 0.05);
    }

    [Fact]
    public void Temperature_of_many_images_takes_as_many_folds_as_hold_out_a_thousand()
    {
        var (rows, labels) = Clouds(classes: 4, each: 700, width: 0.6, seed: 1);
        var (others, truth) = Clouds(classes: 4, each: 500, width: 0.6, seed: 2);
        var steps = new Steps();

        var fitted = new LogisticRegression().Fit(rows, labels, 4, progress: steps, cancellation: TestContext.Current.CancellationToken);

        Assert.Equal((2, 2), (steps.Last!.Done, steps.Last.Total));
        Assert.InRange(Calibration.Of(truth, ProbabilitiesOf(fitted, others)).ExpectedCalibrationError, 0, 0.03);
    }

    private sealed class Steps : IProgress<StepProgress>
    {
        public StepProgress? Last { get; private set; }

        public void Report(StepProgress value) => Last = value;
    }

    [Theory]
    [MemberData(nameof(Classifiers))]
    public void Calibration_changes_no_prediction(int index)
    {
        var (rows, labels) = Clouds(classes: 5, each: 8, width: 0.6, seed: 1);
        var (others, _) = Clouds(classes: 5, each: 100, width: 0.6, seed: 2);

        Assert.Equal(
            ProbabilitiesOf(Fit(All[index] with { Calibrate = false }, rows, labels), others).Select(Largest),
            ProbabilitiesOf(Fit(All[index], rows, labels), others).Select(Largest));
    }

    /// <summary>Of four photos a class without an error nobody knows more than that errors are rarer than about 1 in 50.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(5)]
    public void Few_photos_of_many_classes_are_named_surely_but_not_more_surely_than_they_can_tell(int index)
    {
        var (rows, labels) = Clouds(classes: 12, each: 4, width: 0.1, seed: 1);
        var (others, truth) = Clouds(classes: 12, each: 10, width: 0.1, seed: 2);

        var fitted = Fit(All[index], rows, labels);
        var probabilities = ProbabilitiesOf(fitted, others);

        Assert.Equal(truth, probabilities.Select(Largest));
        Assert.InRange(probabilities.Average(row => row.Max()), 0.93, 0.995);
        Assert.Contains("The smallest class has 4 photos", Assert.Single(fitted.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void Most_probable_class_of_an_rbf_machine_is_that_of_the_votes()
    {
        var (rows, labels) = Clouds(classes: 10, each: 3, width: 0.9, seed: 1);
        var (others, _) = Clouds(classes: 10, each: 100, width: 0.9, seed: 2);
        var fitted = Fit(new RbfSvm { Standardize = false }, rows, labels);
        var (operation, values) = ((RbfMachine)fitted.Layers[0].Operation, fitted.Layers[0].Values);
        using var scope = NewDisposeScope();
        var decisions = TorchClassifiers.PairDecisions(
            operation, tensor([.. others.SelectMany(row => row.Select(value => (double)value))]).view(others.Length, -1),
            Double(ParameterRole.Examples).view(30, -1), Double(ParameterRole.Coefficients).view(9, 30), Double(ParameterRole.Offsets));

        var votes = TorchClassifiers.Votes(decisions, 10).argmax(1).data<long>().ToArray();
        var coupled = TorchClassifiers.Couple(TorchClassifiers.PairProbabilities(decisions, Double(ParameterRole.Calibration).view(45, 2)), 10);

        Assert.Equal(votes.Select(label => (int)label), ProbabilitiesOf(fitted, others).Select(Largest));
        Assert.NotEqual(votes, coupled.argmax(1).data<long>().ToArray());

        Tensor Double(ParameterRole role) => tensor(values[role]).to_type(ScalarType.Float64);
    }
}
