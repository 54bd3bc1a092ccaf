using Graft.Classifiers;
using Graft.Evaluation;
using Graft.Testing;
using Graft.Unlabeled;

namespace Graft.ParityTests.Classifiers;

/// <summary>Labels for unlabeled photos, against scipy and scikit-learn on the same features: 958 photos of Office, five labels a class.</summary>
public class UnlabeledTests
{
    private const string Fixtures = "reference/transfer/fixtures";

    /// <summary>The closed form on the same symmetric graph, to its float32.</summary>
    [SharedTheory(Fixtures)]
    [InlineData("0.2")]
    [InlineData("0.9")]
    [InlineData("0.99")]
    public void Spreading_is_the_closed_form_on_a_symmetric_graph(string spread)
    {
        var file = SharedFolder.Path($"{Fixtures}/label_spreading_symmetric.npz");
        var (rows, partial, truth) = Photos();
        var graph = NeighborGraph.Of(rows, 10, TestContext.Current.CancellationToken);

        var shares = new LabelSpreading { Spread = double.Parse(spread, System.Globalization.CultureInfo.InvariantCulture), Balanced = false }
            .Spreading(graph, partial, 10, TestContext.Current.CancellationToken);

        var expected = NumpyFile.Load<float>(file, $"F_alpha{spread}").Values.Chunk(10).ToArray();
        for (var photo = 0; photo < shares.Count; photo++)
        {
            var sum = expected[photo].Sum();
            for (var label = 0; label < 10; label++) Assert.Equal(expected[photo][label] / sum, shares[photo][label], 1e-5);
        }
        var correct = Enumerable.Range(0, truth.Length).Where(photo => partial[photo] < 0)
            .Average(photo => Array.IndexOf(shares[photo], shares[photo].Max()) == truth[photo] ? 1.0 : 0);
        Assert.Equal(NumpyFile.Load<double>(file, $"accuracy_alpha{spread}").Values.Single(), correct, 1e-12);
    }

    [SharedFact(Fixtures)]
    public void Graph_joins_the_pairs_that_numpy_joins()
    {
        var file = SharedFolder.Path($"{Fixtures}/label_spreading_symmetric.npz");
        var (rows, _, _) = Photos();

        var graph = NeighborGraph.Of(rows, 10, TestContext.Current.CancellationToken);

        var pairs = graph.Neighbors.SelectMany((near, photo) => near.SelectMany(other => new[] { (photo, other), (other, photo) })).ToHashSet();
        var expected = NumpyFile.Load<int>(file, "W_rows").Values.Zip(NumpyFile.Load<int>(file, "W_cols").Values).ToHashSet();
        Assert.True(expected.SetEquals(pairs));
    }

    /// <summary>scikit-learn's two criteria: the same photos get the same labels in the same rounds.</summary>
    [SharedTheory(Fixtures)]
    [InlineData("threshold")]
    [InlineData("k_best")]
    public void Labels_once_given_are_scikit_learn_s(string criterion)
    {
        var file = SharedFolder.Path($"{Fixtures}/self_training_{criterion}.npz");
        var (rows, partial, truth) = Photos();
        var labeled = Enumerable.Range(0, rows.Length).Where(photo => partial[photo] >= 0).ToArray();
        var rest = Enumerable.Range(0, rows.Length).Where(photo => partial[photo] < 0).ToArray();

        var result = new YarowskySelfTraining { Threshold = criterion == "threshold" ? 0.75 : null, Best = criterion == "k_best" ? 50 : null, MostRounds = 10 }.Run(
            new LogisticRegression { Standardize = false, Calibrate = false },
            [.. labeled.Select(photo => rows[photo])], [.. labeled.Select(photo => partial[photo])], 10, [.. rest.Select(photo => rows[photo])],
            TestContext.Current.CancellationToken);

        var (rounds, classes) = (Integers(file, "labeled_iter"), Integers(file, "transduction"));
        Assert.Equal(rest.Select(photo => Math.Max(0, rounds[photo])), result.Labels.Select(label => label.Round));
        Assert.Equal(
            rest.Where(photo => rounds[photo] > 0).Select(photo => classes[photo]), result.Labels.Where(label => label.Round > 0).Select(label => label.Class));
        var predicted = result.After.Probabilities([.. rest.Select(photo => rows[photo])]);
        var correct = rest.Zip(predicted, (photo, row) => Array.IndexOf(row, row.Max()) == truth[photo] ? 1.0 : 0).Average();
        Assert.Equal(NumpyFile.Load<double>(file, "accuracy").Values.Single(), correct, 1e-12);
    }

    /// <summary>scipy's minimum and numpy's bins.</summary>
    [SharedFact(Fixtures)]
    public void Temperature_is_scipy_s()
    {
        var file = SharedFolder.Path($"{Fixtures}/temperature.npz");
        double Figure(string name) => NumpyFile.Load<double>(file, name).Values.Single();
        var labels = Integers(file, "labels");
        var logits = NumpyFile.Load<double>(file, "logits").Values.Chunk(5).ToArray();
        var result = EvaluationResult.Of(
            ["a", "b", "c", "d", "e"], labels, [.. logits.Select(row => Probabilities.Softmax([.. row.Select(value => (float)value)]))]);

        var temperature = ScaledCalibration.FitTemperature(result);

        // Of probabilities that are kept as float32.
        Assert.Equal(Figure("T"), temperature, 1e-5 * temperature);
        Assert.Equal(Figure("nll_1"), result.Loss, 1e-5);
        Assert.Equal(Figure("ece_1"), result.Calibration.ExpectedCalibrationError, 1e-5);
        Assert.Equal(Figure("ece_T"), ScaledCalibration.Of(result, temperature).Calibration.ExpectedCalibrationError, 1e-5);
    }

    private static (float[][] Rows, int[] Partial, int[] Truth) Photos()
    {
        var file = SharedFolder.Path($"{Fixtures}/label_spreading.npz");
        return ([.. NumpyFile.Load<float>(file, "x").Values.Chunk(32)], Integers(file, "y_partial"), NumpyFile.Load<int>(file, "y").Values);
    }

    private static int[] Integers(string file, string name) => [.. NumpyFile.Load<long>(file, name).Values.Select(value => (int)value)];
}
