using Graft.Classifiers;
using Graft.Data;
using Graft.Networks;
using Graft.Training;

namespace Graft.Tests.Classifiers;

/// <summary>What every listed classifier owes.</summary>
public class ClassifierCatalogTests
{
    public static TheoryData<string> Names => [.. ClassifierCatalog.Names];

    private static (float[][] Rows, int[] Labels) Photos(int seed, int each = 9, int classes = 4)
    {
        var random = new Random(seed);
        int[] labels = [.. Enumerable.Range(0, each * classes).Select(image => image % classes)];
        return ([.. labels.Select(label => Enumerable.Range(0, 12)
            .Select(feature => (float)((feature % classes == label ? 1 : 0) + 1.2 * (random.NextDouble() - 0.5))).ToArray())], labels);
    }

    private static FittedClassifier Fit(string name, float[][] rows, int[] labels, int classes = 4) =>
        ClassifierCatalog.Create(name).Fit(rows, labels, classes, cancellation: TestContext.Current.CancellationToken);

    private static IReadOnlyList<float[]> ProbabilitiesOf(FittedClassifier fitted, float[][] rows)
    {
        using var module = fitted.ToModule(new("features", [new("features", new Input(rows[0].Length, 0, 0), [])]));
        return [.. Trainer.Outputs(module, new ExamplesInMemory(rows, new int[rows.Length]), 256, TestContext.Current.CancellationToken).Select(Probabilities.Softmax)];
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Fits_predicts_and_gives_probabilities_of_sum_1(string name)
    {
        var (rows, labels) = Photos(1);
        var (others, truth) = Photos(2);

        var fitted = Fit(name, rows, labels);
        var probabilities = ProbabilitiesOf(fitted, others);

        Assert.Equal(name, fitted.Name);
        Assert.InRange(probabilities.Zip(truth).Average(pair => Array.IndexOf(pair.First, pair.First.Max()) == pair.Second ? 1.0 : 0), 0.9, 1);
        Assert.All(probabilities, row => Assert.Equal(1, row.Sum(), 1e-5));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Features_that_are_not_finite_are_refused_with_their_place(string name)
    {
        foreach (var value in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
        {
            var (rows, labels) = Photos(1);
            rows[3][2] = value;

            Assert.Contains(
                "Feature 3 of training image 4", Assert.Throws<GraftException>(() => Fit(name, rows, labels)).Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void One_class_is_refused(string name)
    {
        var (rows, labels) = Photos(1);

        Assert.Contains(
            "at least 2 classes", Assert.Throws<GraftException>(() => Fit(name, rows, new int[labels.Length], classes: 1)).Message,
            StringComparison.Ordinal);
    }

    /// <summary>Photos that all are alike teach nothing: then every class is as probable as it is frequent, or nearly so.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Constant_features_give_finite_probabilities(string name)
    {
        var (rows, labels) = Photos(1);
        rows = [.. rows.Select(_ => Enumerable.Repeat(0.7f, 12).ToArray())];

        var probabilities = ProbabilitiesOf(Fit(name, rows, labels), rows[..1])[0];

        Assert.All(probabilities, value => Assert.InRange(value, 0, 1));
    }

    /// <summary>libtorch's exceptions never reach a user, whatever the features are.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Features_of_any_scale_are_fitted(string name)
    {
        foreach (var scale in (float[])[1e-12f, 1e-3f, 1e4f, 1e12f])
        {
            var (rows, labels) = Photos(1);
            rows = [.. rows.Select(row => row.Select((value, feature) => value * scale * (feature % 3 == 0 ? 100 : 1)).ToArray())];

            var fitted = (ClassifierCatalog.Create(name) with { Standardize = false })
                .Fit(rows, labels, 4, cancellation: TestContext.Current.CancellationToken);

            Assert.All(ProbabilitiesOf(fitted, rows), row => Assert.Equal(1, row.Sum(), 1e-5));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Same_seed_gives_the_same_numbers(string name)
    {
        var (rows, labels) = Photos(1);

        Assert.Equal(
            Fit(name, rows, labels).Layers.SelectMany(layer => layer.Values.Values),
            Fit(name, rows, labels).Layers.SelectMany(layer => layer.Values.Values));
    }

    [Fact]
    public void Option_that_a_classifier_does_not_take_is_refused_with_those_that_do()
    {
        var problem = Assert.Throws<GraftException>(() => ClassifierCatalog.Create("mean", new() { C = 10, Neighbors = 0 }));

        Assert.Contains("mean has no option C; logistic, svm, rbf-svm have it", problem.Message, StringComparison.Ordinal);
        Assert.Contains("Expected neighbors at least 1, found 0", problem.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    public void C_out_of_its_range_is_refused(double c) => Assert.Contains(
        "Expected c above 0", Assert.Throws<GraftException>(() => ClassifierCatalog.Create("svm", new() { C = c })).Message, StringComparison.Ordinal);

    [Fact]
    public void Options_reach_their_classifier()
    {
        var svm = Assert.IsType<RbfSvm>(ClassifierCatalog.Create(
            "rbf-svm", new() { C = null, Gamma = 0.5, ClassWeights = ClassWeighting.Balanced, Standardize = false, Calibrate = false }));

        Assert.Equal(new RbfSvm { C = null, Gamma = 0.5, ClassWeights = ClassWeighting.Balanced, Standardize = false, Calibrate = false }, svm);
        Assert.False(ClassifierCatalog.Create("centered-mean").Standardize);
        Assert.Equal(3, Assert.IsType<NearestNeighbors>(ClassifierCatalog.Create("knn", new() { Neighbors = 3 })).Neighbors);
        Assert.Equal(0.2, Assert.IsType<LinearDiscriminant>(ClassifierCatalog.Create("lda", new() { Shrinkage = 0.2 })).Shrinkage);
        Assert.Contains("There is no classifier 'forest'", Assert.Throws<GraftException>(() => ClassifierCatalog.Find("forest")).Message, StringComparison.Ordinal);
    }

    /// <summary>Against fits that really lack the image, the classes' shares and the mean variance kept.</summary>
    [Theory]
    [InlineData(6)]
    [InlineData(60)]
    public void Leave_one_out_in_closed_form_is_what_refitting_gives(int length)
    {
        var random = new Random(3);
        int[] labels = [.. Enumerable.Range(0, 24).Select(image => image % 3)];
        float[][] rows = [.. labels.Select(label => Enumerable.Range(0, length)
            .Select(feature => (float)((feature % 3 == label ? 0.8 : 0) + random.NextDouble() + random.NextDouble())).ToArray())];
        const double Shrinkage = 0.2;
        using var scope = TorchSharp.torch.NewDisposeScope();

        var (accuracy, loss) = new LinearDiscriminant().LeaveOneOut(FeatureMatrix.Of(rows, labels, 3), [Shrinkage])[0];

        var x = rows.Select(row => row.Select(value => (double)value).ToArray()).ToArray();
        var total = Deviations([.. Enumerable.Range(0, 24)]).Sum(deviation => deviation.Sum(value => value * value)) / 24 / length;
        var (correct, sum) = (0, 0.0);
        for (var image = 0; image < 24; image++)
        {
            int[] kept = [.. Enumerable.Range(0, 24).Where(other => other != image)];
            var deviations = TorchSharp.torch.tensor([.. Deviations(kept).SelectMany(row => row)]).view(23, length);
            var covariance = deviations.t().mm(deviations) * ((1 - Shrinkage) / 23) + TorchSharp.torch.eye(length, dtype: TorchSharp.torch.ScalarType.Float64) * (Shrinkage * total);
            var scores = Enumerable.Range(0, 3).Select(label =>
            {
                var mean = Mean(kept, label);
                var difference = TorchSharp.torch.tensor([.. x[image].Zip(mean, (a, b) => a - b)]).view(length, 1);
                return -0.5 * TorchSharp.torch.linalg.solve(covariance, difference).mul(difference).sum().ToDoubles()[0];
            }).ToArray();
            if (Array.IndexOf(scores, scores.Max()) == labels[image]) correct++;
            sum += Math.Log(scores.Sum(score => Math.Exp(score - scores[labels[image]])));
        }
        Assert.Equal(correct / 24.0, accuracy, 1e-12);
        Assert.Equal(sum / 24, loss, 1e-8);

        double[] Mean(int[] images, int label) =>
            [.. Enumerable.Range(0, length).Select(feature => images.Where(other => labels[other] == label).Average(other => x[other][feature]))];

        double[][] Deviations(int[] images) => [.. images.Select(image =>
        {
            var mean = Mean(images, labels[image]);
            return x[image].Zip(mean, (a, b) => a - b).ToArray();
        })];
    }
}
