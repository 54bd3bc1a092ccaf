using Graft.Classifiers;
using Graft.Data;
using Graft.Features;
using Graft.Networks;
using Graft.Testing;
using Graft.Tests.Features;
using Graft.Training;

namespace Graft.Tests.Classifiers;

public class FeatureClassifierTests
{
    private static readonly FeatureClassifier[] All =
    [
        new LogisticRegression(), new LinearSvm(), new RbfSvm(), new GaussianNaiveBayes(), new NearestNeighbors(), new NearestClassMean(),
        new LogisticRegression { C = null }, new LinearSvm { C = null }, new RbfSvm { C = null },
        new LogisticRegression { ClassWeights = ClassWeighting.Balanced, Standardize = false },
    ];

    public static TheoryData<int> Classifiers => [.. Enumerable.Range(0, All.Length)];

    /// <summary>Clouds of points around a corner of the cube for each class.</summary>
    private static (float[][] Rows, int[] Labels) Clouds(int[] counts, int features = 6, double width = 0.3, int seed = 7)
    {
        var random = new Random(seed);
        int[] labels = [.. counts.SelectMany((count, label) => Enumerable.Repeat(label, count))];
        return ([.. labels.Select(label => Enumerable.Range(0, features)
            .Select(feature => (float)((feature % counts.Length == label ? 1 : 0) + width * (random.NextDouble() + random.NextDouble() - 1))).ToArray())], labels);
    }

    private static FittedClassifier Fit(FeatureClassifier classifier, float[][] rows, int[] labels, int seed = 1) =>
        classifier.Fit(rows, labels, labels.Max() + 1, seed, cancellation: TestContext.Current.CancellationToken);

    private static IReadOnlyList<float[]> ProbabilitiesOf(FittedClassifier fitted, float[][] rows)
    {
        using var module = fitted.ToModule(new("features", [new("features", new Input(rows[0].Length, 0, 0), [])]));
        return [.. Trainer.Outputs(module, new ExamplesInMemory(rows, new int[rows.Length]), 16, TestContext.Current.CancellationToken).Select(Probabilities.Softmax)];
    }

    private static double Accuracy(FittedClassifier fitted, float[][] rows, int[] labels) =>
        ProbabilitiesOf(fitted, rows).Zip(labels).Count(pair => Array.IndexOf(pair.First, pair.First.Max()) == pair.Second) / (double)labels.Length;

    [Theory]
    [MemberData(nameof(Classifiers))]
    public void Separate_clouds_are_told_apart_by_probabilities_that_sum_to_1(int index)
    {
        var (rows, labels) = Clouds([12, 9, 20]);
        var fitted = Fit(All[index], rows, labels);
        var (others, truth) = Clouds([10, 10, 10], seed: 8);

        Assert.Equal(1, Accuracy(fitted, others, truth));
        Assert.All(ProbabilitiesOf(fitted, others), row => Assert.Equal(1, row.Sum(), 1e-5));
    }

    [Theory]
    [MemberData(nameof(Classifiers))]
    public void Two_classes_are_enough(int index)
    {
        var (rows, labels) = Clouds([12, 9]);

        Assert.Equal(1, Accuracy(Fit(All[index], rows, labels), rows, labels));
    }

    [Theory]
    [MemberData(nameof(Classifiers))]
    public void Class_with_one_image_constant_features_and_repeated_rows_are_no_hindrance(int index)
    {
        var (rows, labels) = Clouds([8, 1, 8]);
        rows = [.. rows.Select(row => (float[])[.. row, 3.7f, 0]), .. rows.Take(3).Select(row => (float[])[.. row, 3.7f, 0])];
        labels = [.. labels, .. labels.Take(3)];

        var probabilities = ProbabilitiesOf(Fit(All[index], rows, labels), rows);

        Assert.All(probabilities, row => Assert.All(row, value => Assert.InRange(value, 0, 1)));
        Assert.InRange(Accuracy(Fit(All[index], rows, labels), rows, labels), 0.9, 1);
    }

    [Theory]
    [MemberData(nameof(Classifiers))]
    public void More_features_than_images_are_no_hindrance(int index)
    {
        var (rows, labels) = Clouds([6, 6, 6], features: 60);

        Assert.Equal(1, Accuracy(Fit(All[index], rows, labels), rows, labels));
    }

    [Theory]
    [MemberData(nameof(Classifiers))]
    public void Same_seed_gives_the_same_classifier(int index)
    {
        var (rows, labels) = Clouds([8, 8, 8], width: 1.5);

        var (first, second) = (Fit(All[index], rows, labels), Fit(All[index], rows, labels));

        Assert.Equal(first.Layers.SelectMany(layer => layer.Values.Values), second.Layers.SelectMany(layer => layer.Values.Values));
    }

    [Theory]
    [MemberData(nameof(Classifiers))]
    public void Feature_that_is_no_number_is_refused(int index)
    {
        var (rows, labels) = Clouds([5, 5]);
        rows[3][2] = float.NaN;

        var problem = Assert.Throws<GraftException>(() => Fit(All[index], rows, labels));

        Assert.Contains("Feature 3 of training image 4 is NaN", problem.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Classifiers))]
    public void Saved_model_predicts_the_same_bits_once_opened(int index)
    {
        using var scene = new FeatureScene();
        using var folder = new TemporaryFolder();
        var photos = scene.Photos(15, classes: 3);
        var features = FeatureScene.Backbone();
        using var extractor = new FeatureExtractor(features, cache: null);
        var set = extractor.Extract(photos, cancellation: TestContext.Current.CancellationToken);
        var fitted = Fit(All[index], [.. set.Rows], [.. photos.Select(photo => photo.Class)]);
        using var head = fitted.ToModule(features.Network);
        using var model = ImageClassifier.Of(features, head, ["a", "b", "c"]);
        model.Save(folder.File("model.safetensors"));

        using var opened = ImageClassifier.Open(folder.FullName);

        string[] paths = [.. photos.Select(photo => photo.Path)];
        Assert.Equal(
            model.Predict(paths, cancellation: TestContext.Current.CancellationToken).Read.Select(prediction => prediction.Probabilities),
            opened.Predict(paths, cancellation: TestContext.Current.CancellationToken).Read.Select(prediction => prediction.Probabilities));
        Assert.Equal(model.Network.ToJson(), opened.Network.ToJson());
    }

    [Fact]
    public void Class_without_images_is_refused()
    {
        var (rows, _) = Clouds([4, 4]);

        var problem = Assert.Throws<GraftException>(() => new LogisticRegression().Fit(
            rows, [0, 0, 0, 0, 2, 2, 2, 2], 3, cancellation: TestContext.Current.CancellationToken));

        Assert.Contains("Class 2 of 3 has no image", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void More_numbers_than_can_be_read_in_one_piece_are_refused_before_they_are_copied()
    {
        var row = new float[100_000];

        var problem = Assert.Throws<GraftException>(() => Fit(
            new LogisticRegression(), [.. Enumerable.Repeat(row, 6_000)], [.. Enumerable.Range(0, 6_000).Select(image => image % 2)]));

        Assert.Contains("6,000 images × 100,000 features", problem.Message, StringComparison.Ordinal);
        Assert.Equal("too-many-features", problem.Code);
    }

    [Fact]
    public void More_neighbors_than_images_are_refused_with_the_number_there_is()
    {
        var (rows, labels) = Clouds([2, 2]);

        var problem = Assert.Throws<GraftException>(() => Fit(new NearestNeighbors { Neighbors = 5 }, rows, labels));

        Assert.Contains("at most 4", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Probabilities_of_neighbors_are_their_shares()
    {
        float[][] rows = [[0], [1], [2], [10], [11]];

        var probabilities = ProbabilitiesOf(Fit(new NearestNeighbors { Neighbors = 4, Standardize = false, Calibrate = false }, rows, [0, 1, 1, 2, 2]), [[0.4f]])[0];

        Assert.Equal([0.25, 0.5, 0.25], probabilities.Select(value => Math.Round(value, 6)));
    }

    [Fact]
    public void Tied_vote_goes_to_the_first_class()
    {
        float[][] rows = [[1], [0], [10]];

        Assert.Equal(0, Array.IndexOf(
            ProbabilitiesOf(Fit(new NearestNeighbors { Neighbors = 2, Standardize = false, Calibrate = false }, rows, [1, 0, 1]), [[0.9f]])[0], 0.5f));
    }

    [Fact]
    public void Problems_of_all_options_are_told()
    {
        Assert.Contains("C above 0", Assert.Single(new LogisticRegression { C = 0 }.Problems()), StringComparison.Ordinal);
        Assert.Contains("C above 0", Assert.Single(new LinearSvm { C = double.NaN }.Problems()), StringComparison.Ordinal);
        Assert.Equal(3, new RbfSvm { C = -1, Gamma = 0, Tolerance = 0 }.Problems().Count);
        Assert.Single(new GaussianNaiveBayes { VarianceSmoothing = -1 }.Problems());
        Assert.Single(new NearestNeighbors { Neighbors = 0 }.Problems());
        Assert.Throws<GraftException>(() => Fit(new LinearSvm { C = 0 }, [[0], [1]], [0, 1]));
    }

    [Fact]
    public void Logistic_regression_is_where_its_gradient_vanishes()
    {
        var (rows, labels) = Clouds([20, 30, 10], features: 4, width: 1.5);
        var fitted = Fit(new LogisticRegression { C = 3, Standardize = false, Calibrate = false, Tolerance = 1e-9 }, rows, labels);
        var kernel = fitted.Layers[0].Values[ParameterRole.DenseKernel];
        var probabilities = ProbabilitiesOf(fitted, rows);

        // ∂/∂w = w + C·Σ (p − y)·x and ∂/∂b = C·Σ (p − y), by the formula; float32 probabilities.
        for (var label = 0; label < 3; label++)
        {
            for (var feature = 0; feature < 4; feature++)
            {
                var sum = Enumerable.Range(0, rows.Length).Sum(i => (probabilities[i][label] - (labels[i] == label ? 1 : 0)) * (double)rows[i][feature]);
                Assert.Equal(0, kernel[label * 4 + feature] + 3 * sum, 1e-4);
            }
            Assert.Equal(0, Enumerable.Range(0, rows.Length).Sum(i => (double)probabilities[i][label] - (labels[i] == label ? 1 : 0)), 1e-4);
        }
    }

    [Fact]
    public void Balanced_weights_give_a_rare_class_its_due()
    {
        var (rows, labels) = Clouds([100, 6], features: 2, width: 2.5);
        foreach (FeatureClassifier[] pair in (FeatureClassifier[][])[
            [new LogisticRegression(), new LogisticRegression { ClassWeights = ClassWeighting.Balanced }],
            [new LinearSvm(), new LinearSvm { ClassWeights = ClassWeighting.Balanced }],
            [new GaussianNaiveBayes(), new GaussianNaiveBayes { ClassWeights = ClassWeighting.Balanced }]])
        {
            var (plain, balanced) = (Rare(pair[0]), Rare(pair[1]));
            Assert.True(balanced > plain, $"{pair[0].Name}: {plain} → {balanced}");
        }

        double Rare(FeatureClassifier classifier) => ProbabilitiesOf(Fit(classifier, rows, labels), rows).Average(row => (double)row[1]);
    }

    [Fact]
    public void Chosen_C_is_the_best_of_the_candidates_told()
    {
        var (rows, labels) = Clouds([25, 25, 25], features: 30, width: 3);

        var fitted = Fit(new LogisticRegression { C = null }, rows, labels);

        var candidates = Assert.IsType<IReadOnlyList<CandidateC>>(fitted.Facts["c_candidates"], exactMatch: false);
        var best = candidates.OrderByDescending(candidate => candidate.Accuracy).ThenBy(candidate => candidate.Loss).First();
        Assert.Equal(best.C, fitted.C);
        Assert.Equal(candidates.OrderBy(candidate => candidate.C), candidates);
        Assert.True(best.Accuracy > candidates[^1].Accuracy || best.Loss < candidates[^1].Loss, "Noise calls for regularization.");
    }

    [Fact]
    public void Folds_hold_out_every_image_once_and_keep_every_class()
    {
        int[] labels = [.. Enumerable.Repeat(0, 11), .. Enumerable.Repeat(1, 2), 2, .. Enumerable.Repeat(3, 7)];

        var folds = StratifiedFolds.Of(labels, seed: 3);

        Assert.Equal(Enumerable.Range(0, labels.Length).Where(image => labels[image] != 2), folds.SelectMany(fold => fold.HeldOut).Order());
        Assert.All(folds, fold => Assert.Equal(4, fold.Kept.Select(image => labels[image]).Distinct().Count()));
        Assert.All(folds, fold => Assert.Empty(fold.Kept.Intersect(fold.HeldOut)));
        Assert.NotEqual(folds[0].HeldOut, StratifiedFolds.Of(labels, seed: 4)[0].HeldOut);
    }

    [Fact]
    public void Views_of_an_image_are_held_out_together()
    {
        int[] labels = [0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1], images = [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5];

        var folds = StratifiedFolds.Of(labels, seed: 1, images);

        Assert.Equal(Enumerable.Range(0, 12), folds.SelectMany(fold => fold.HeldOut).Order());
        Assert.All(folds, fold => Assert.Empty(fold.Kept.Select(row => images[row]).Intersect(fold.HeldOut.Select(row => images[row]))));
    }

    [Fact]
    public void Kernel_rows_are_the_same_kept_whole_or_row_by_row()
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        var features = TorchSharp.torch.tensor(Clouds([20, 20]).Rows.SelectMany(row => row).ToArray()).view(40, -1);
        var (whole, byRow) = (new KernelRows(features, 0.7), new KernelRows(features, 0.7, mostValues: 120));
        int[] some = [3, 30, 8];

        for (var pass = 0; pass < 2; pass++)
        {
            for (var row = 0; row < 40; row++)
            {
                Assert.All(whole.Row(row).ToArray().Zip(byRow.Row(row).ToArray()), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
            }
        }
        Assert.Equal(1, byRow.Subset(some).Row(1)[1], 1e-6);
        Assert.Equal(whole.Row(30)[8], byRow.Subset(some).Row(1)[2], 1e-6);
        Assert.Equal(whole.Row(30)[8], whole.Subset(some).Row(1)[2]);
    }

    [Fact]
    public void Coupling_gives_back_the_probabilities_that_the_pairs_came_from()
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        double[] p = [0.5, 0.3, 0.15, 0.05];
        var pairs = new List<double>();
        for (var i = 0; i < 4; i++)
            for (var j = i + 1; j < 4; j++) pairs.Add(p[i] / (p[i] + p[j]));

        var coupled = TorchClassifiers.Couple(TorchSharp.torch.tensor(pairs.ToArray()).view(1, -1), 4).ToDoubles();

        for (var i = 0; i < 4; i++) Assert.Equal(p[i], coupled[i], 1e-9);
    }

    [Fact]
    public void Slope_is_the_one_that_the_decisions_were_drawn_from()
    {
        var random = new Random(5);
        double[] decisions = [.. Enumerable.Range(0, 20_000).Select(_ => 4 * random.NextDouble() - 2)];

        var slope = PlattScaling.Slope([.. decisions.Select(f => random.NextDouble() < 1 / (1 + Math.Exp(-1.5 * f)) ? f : -f)]);

        // Three standard errors of 20,000 draws.
        Assert.Equal(1.5, slope, 0.08);
    }

    [Fact]
    public void Slope_is_never_inverted_and_stays_finite()
    {
        Assert.Equal(1e-3, PlattScaling.Slope([-0.3, -0.1, 0.05, -0.2]), 1e-6);
        Assert.InRange(PlattScaling.Slope([0.3, 0.1, 0.2]), 1, 100);
    }
}
