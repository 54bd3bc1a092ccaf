using Graft.Classifiers;
using Graft.Networks;
using Graft.Testing;
using Graft.Training;
using static TorchSharp.torch;

namespace Graft.ParityTests.Classifiers;

/// <summary>Classifiers for few photos against scikit-learn and SimpleShot's protocol, and cases of few photos and odd scales.</summary>
public class FewPhotosTests
{
    private const string Fixtures = "reference/transfer/fixtures", Cases = "cases/classifiers";
    private const string Office = "reference/transfer/data/office_caltech10_mobilenetv2_1280.npz";

    /// <summary>scikit-learn's LinearDiscriminantAnalysis(solver="lsqr") on 5 photos of each of 10 classes: fewer photos than features.</summary>
    [SharedTheory(Fixtures)]
    [InlineData("0.1")]
    [InlineData("0.5")]
    public void Linear_discriminant_analysis_is_scikit_learn_s(string shrinkage)
    {
        var file = SharedFolder.Path($"{Fixtures}/lda_shrinkage.npz");
        var (rows, labels) = (Floats(file, "x_train"), Integers(file, "y_train"));
        var (others, truth) = (Floats(file, "x_test"), Integers(file, "y_test"));
        var classifier = new LinearDiscriminant
        {
            Shrinkage = double.Parse(shrinkage, System.Globalization.CultureInfo.InvariantCulture),
            Standardize = false,
            Calibrate = false,
        };

        var fitted = classifier.Fit(rows, labels, 10, cancellation: TestContext.Current.CancellationToken);

        var values = fitted.Layers[0].Values;
        AssertCloseUpToShift(NumpyFile.Load<double>(file, $"coef_{shrinkage}").Values, values[ParameterRole.DenseKernel], columns: 64);
        AssertCloseUpToShift(NumpyFile.Load<double>(file, $"intercept_{shrinkage}").Values, values[ParameterRole.Bias], columns: 1);
        var predicted = Outputs(fitted, others).Select(Largest).ToArray();
        Assert.Equal(Integers(file, $"labels_{shrinkage}"), predicted);
        // The chosen shrinkage is as good as the better of the two, but for a photo in a hundred.
        var chosen = (classifier with { Shrinkage = null }).Fit(rows, labels, 10, cancellation: TestContext.Current.CancellationToken);
        Assert.InRange(
            Outputs(chosen, others).Select(Largest).Zip(truth).Average(pair => pair.First == pair.Second ? 1.0 : 0),
            NumpyFile.Load<double>(file, "accuracy_0.5").Values.Single() - 0.01, 1);

        // Outputs that all classes share make no difference: scikit-learn keeps them, Graft has none. 1e-5 of the largest: float32.
        static void AssertCloseUpToShift(double[] expected, float[] actual, int columns)
        {
            var scale = expected.Max(Math.Abs);
            for (var column = 0; column < columns; column++)
            {
                var rows = Enumerable.Range(0, 10).Select(row => row * columns + column).ToArray();
                var (shift, own) = (rows.Average(place => expected[place]), rows.Average(place => (double)actual[place]));
                Assert.All(rows, place => Assert.Equal(expected[place] - shift, actual[place] - own, 1e-5 * scale));
            }
        }
    }

    /// <summary>The same 200 episodes of 5 classes: each episode's accuracy is the same.</summary>
    [SharedTheory(Fixtures)]
    [InlineData("UN", 1)]
    [InlineData("UN", 5)]
    [InlineData("CL2N", 1)]
    [InlineData("CL2N", 5)]
    public void Episodes_are_as_accurate_as_SimpleShot_s(string kind, int shots)
    {
        var file = SharedFolder.Path($"{Fixtures}/few_shot_episodes.npz");
        var photos = Floats(SharedFolder.Path(Office), "amazon_x");
        var mean = NumpyFile.Load<double>(file, "base_mean").Values.Select(value => (float)value).ToArray();
        FeatureClassifier classifier = kind == "UN"
            ? new NearestClassMean { Standardize = false, Calibrate = false }
            : new CenteredClassMean { BaseMean = mean, Calibrate = false };
        var supports = Long(file, $"support_{shots}").Chunk(5 * shots).ToArray();
        var queries = Long(file, $"query_{shots}").Chunk(5 * 15).ToArray();
        var expected = NumpyFile.Load<double>(file, $"acc_{kind}_{shots}").Values;

        for (var episode = 0; episode < 200; episode++)
        {
            var fitted = classifier.Fit(
                [.. supports[episode].Select(photo => photos[photo])], [.. Enumerable.Range(0, 5 * shots).Select(photo => photo / shots)], 5,
                cancellation: TestContext.Current.CancellationToken);
            var correct = Apply(fitted.Layers[0], [.. queries[episode].Select(photo => photos[photo])])
                .Select((label, query) => label == query / 15 ? 1.0 : 0).Average();

            Assert.Equal(expected[episode], correct, 1e-12);
        }
    }

    /// <summary>
    /// scikit-learn's SVC predicts the first of the classes with as many votes (49.0 and 77.0 %); with break_ties, and here, the one of the
    /// largest sum of outputs, which is no worse.
    /// </summary>
    [SharedTheory(Cases)]
    [InlineData("few30_3", 49.0, 50.2)]
    [InlineData("few5_3", 77.0, 77.0)]
    public void Few_photos_of_many_classes_are_predicted_by_votes(string name, double first, double broken)
    {
        var (rows, labels, others, truth) = Case(name);

        var fitted = new RbfSvm().Fit(rows, labels, labels.Max() + 1, cancellation: TestContext.Current.CancellationToken);

        using var scope = NewDisposeScope();
        var (standardization, layer) = (fitted.Layers[0].Values, fitted.Layers[1]);
        var machine = (RbfMachine)layer.Operation;
        var x = (tensor([.. others.SelectMany(row => row)]).to_type(ScalarType.Float64).view(others.Length, -1)
            - Double(standardization[ParameterRole.Center])) * Double(standardization[ParameterRole.Factors]);
        var vectors = machine.SupportVectors.Sum();
        var decisions = TorchClassifiers.PairDecisions(
            machine, x, Double(layer.Values[ParameterRole.Examples]).view(vectors, -1),
            Double(layer.Values[ParameterRole.Coefficients]).view(machine.Classes - 1, vectors), Double(layer.Values[ParameterRole.Offsets]));
        var votes = TorchClassifiers.Votes(decisions, machine.Classes).round().ToDoubles().Chunk(machine.Classes).Select(row => Array.IndexOf(row, row.Max()));

        Assert.Equal(first, Accuracy(votes, truth), 0.05);
        Assert.Equal(broken, Accuracy(Outputs(fitted, others).Select(Largest), truth), 0.05);
        Assert.NotEmpty(fitted.Warnings);

        static Tensor Double(float[] values) => tensor(values).to_type(ScalarType.Float64);
    }

    /// <summary>Not standardized; scikit-learn's accuracy, to a photo or two.</summary>
    [SharedTheory(Cases)]
    [InlineData("dig100", 95.2)]
    [InlineData("svmscale1", 94.2)]
    public void Linear_machines_come_to_their_optimum_at_any_scale(string name, double expected)
    {
        var (rows, labels, others, truth) = Case(name);

        var fitted = new LinearSvm { Standardize = false }.Fit(rows, labels, labels.Max() + 1, cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(expected, Accuracy(Outputs(fitted, others).Select(Largest), truth), 1.0);
    }

    /// <summary>Three quarters of the photos of a shop's pages to fit on, the others of three such splits to measure on.</summary>
    [SharedFact(Fixtures)]
    public void Confidence_of_every_classifier_is_its_accuracy()
    {
        float[][] photos = [.. Floats(SharedFolder.Path(Office), "amazon_x").Select(row => row[..256])]; // All 1,280 take five times as long.
        var labels = NumpyFile.Load<int>(SharedFolder.Path(Office), "amazon_y").Values;
        foreach (var name in ClassifierCatalog.Names)
        {
            var (truth, probabilities) = (new List<int>(), new List<IReadOnlyList<float>>());
            for (var seed = 1; seed <= 3; seed++)
            {
                var order = Enumerable.Range(0, labels.Length).ToArray();
                new Random(seed).Shuffle(order);
                int[] train = [.. order.GroupBy(photo => labels[photo]).SelectMany(group => group.Take(3 * group.Count() / 4))], test = [.. order.Except(train)];
                var fitted = ClassifierCatalog.Create(name).Fit(
                    [.. train.Select(photo => photos[photo])], [.. train.Select(photo => labels[photo])], 10, seed,
                    cancellation: TestContext.Current.CancellationToken);
                truth.AddRange(test.Select(photo => labels[photo]));
                probabilities.AddRange(Outputs(fitted, [.. test.Select(photo => photos[photo])]).Select(Probabilities.Softmax));
            }

            var error = Graft.Evaluation.Calibration.Of(truth, probabilities).ExpectedCalibrationError;
            Assert.True(error <= 0.05, $"{name}: {error:0.000}");
        }
    }

    private static (float[][] Rows, int[] Labels, float[][] Others, int[] Truth) Case(string name)
    {
        var file = SharedFolder.Path($"{Cases}/{name}.npz");
        return (Floats(file, "x_train"), Long(file, "y_train"), Floats(file, "x_test"), Long(file, "y_test"));
    }

    private static IReadOnlyList<float[]> Outputs(FittedClassifier fitted, float[][] rows)
    {
        using var module = fitted.ToModule(new("features", [new("features", new Input(rows[0].Length, 0, 0), [])]));
        return Trainer.Outputs(module, new ExamplesInMemory(rows, new int[rows.Length]), batchSize: 256, TestContext.Current.CancellationToken);
    }

    /// <summary>What a single layer predicts: 200 networks would take longer than all else.</summary>
    private static IEnumerable<int> Apply(FittedLayer layer, float[][] rows)
    {
        using var scope = NewDisposeScope();
        var x = tensor([.. rows.SelectMany(row => row)]).view(rows.Length, -1);
        var outputs = layer.Operation is ClassifierOperation operation
            ? operation.LogProbabilities(x, Values)
            : x.to_type(ScalarType.Float64).mm(Values(ParameterRole.DenseKernel).to_type(ScalarType.Float64).t()).add_(Values(ParameterRole.Bias));
        return [.. outputs.argmax(1).data<long>().ToArray().Select(label => (int)label)];

        Tensor Values(ParameterRole role)
        {
            var values = tensor(layer.Values[role]);
            return role is ParameterRole.ClassMeans or ParameterRole.DenseKernel ? values.view(5, -1) : values;
        }
    }

    private static double Accuracy(IEnumerable<int> predicted, int[] truth) => 100 * predicted.Zip(truth).Average(pair => pair.First == pair.Second ? 1.0 : 0);

    private static int Largest(float[] row) => Array.IndexOf(row, row.Max());

    private static float[][] Floats(string file, string name)
    {
        var array = NumpyFile.Load<float>(file, name);
        return [.. array.Values.Chunk(array.Shape[1])];
    }

    private static int[] Integers(string file, string name) => NumpyFile.Load<int>(file, name).Values;

    private static int[] Long(string file, string name) => [.. NumpyFile.Load<long>(file, name).Values.Select(value => (int)value)];
}
