using Graft.Classifiers;
using Graft.Data;
using Graft.Networks;
using Graft.Testing;
using Graft.Training;
using static TorchSharp.torch;

namespace Graft.ParityTests.Classifiers;

/// <summary>Each classifier against scikit-learn 1.2.1 in float64, on features of 900 photos of five flowers, standardized and as they are.</summary>
public class ScikitLearnedests
{
    private const string Folder = "reference/classifiers";

    private static readonly Lazy<Reference> Data = new(() => new());

    private static readonly string[] Variants = ["scaled", "raw"];

    public static TheoryData<string> Variant => [.. Variants];

    [SharedFact(Folder)]
    public void Standardization_has_the_same_means_and_deviations()
    {
        var layer = new LogisticRegression().Fit(Data.Value.Train, Data.Value.TrainLabels, 5, cancellation: TestContext.Current.CancellationToken).Layers[0];

        // float32 rounding: the values are kept so.
        AssertClose(Data.Value["scaled", "scaler_mean"], layer.Values[ParameterRole.Center], relative: 1e-6);
        AssertClose(Data.Value["scaled", "scaler_scale"], [.. layer.Values[ParameterRole.Factors].Select(factor => 1 / factor)], relative: 1e-6);
    }

    [SharedTheory(Folder)]
    [MemberData(nameof(Variant))]
    public void Logistic_regression_is_at_the_same_optimum(string variant)
    {
        var fitted = Fit(new LogisticRegression { Calibrate = false }, variant);
        var layer = fitted.Layers[^1];
        var objective = variant == "scaled" ? 5.810545580969029 : 20.19615421508728;

        // scikit-learn stopped at a gradient of 2.6e-5 and 3.2e-4; ours may be lower, not higher.
        Assert.InRange((double)fitted.Facts["objective"]!, objective * (1 - 1e-6), objective * (1 + 1e-6));
        AssertClose(Data.Value[variant, "lr_coef"], layer.Values[ParameterRole.DenseKernel], absolute: 1e-3);
        // At that gradient its intercepts are 2e-3 and 1.2e-2 from the optimum, where its newton-cg (tol 1e-9) ends on the same features.
        double[] intercepts = variant == "scaled"
            ? [0.19606676, -0.26496261, -0.07529783, 0.1531129, -0.00891921]
            : [-1.8149804, -0.50064503, 0.81436584, 0.24008517, 1.26117442];
        AssertClose(intercepts, layer.Values[ParameterRole.Bias], absolute: 1e-4);
        var outputs = Outputs(fitted);
        AssertClose(Data.Value[variant, "lr_prob"], [.. outputs.SelectMany(Probabilities.Softmax)], absolute: 1e-3);
        Assert.Equal(Reference.Labels(variant, "lr_pred"), outputs.Select(Largest));
    }

    [SharedTheory(Folder)]
    [MemberData(nameof(Variant))]
    public void Linear_support_vector_machines_are_at_the_same_optimum(string variant)
    {
        var fitted = Fit(new LinearSvm(), variant);
        var layer = fitted.Layers.Single(layer => layer.Name == "head.decisions");

        AssertClose(Data.Value[variant, "linearsvc_coef"], layer.Values[ParameterRole.DenseKernel], absolute: 1e-3);
        AssertClose(Data.Value[variant, "linearsvc_intercept"], layer.Values[ParameterRole.Bias], absolute: 1e-3);
        var factor = (float)(double)fitted.Facts["calibration"]!;
        var outputs = Outputs(fitted);
        AssertClose(Data.Value[variant, "linearsvc_decision"], [.. outputs.SelectMany(row => row.Select(value => value / factor))], absolute: 1e-3);
        Assert.Equal(Reference.Labels(variant, "linearsvc_pred"), outputs.Select(Largest));
    }

    [SharedTheory(Folder)]
    [MemberData(nameof(Variant))]
    public void Rbf_support_vector_machines_decide_the_same(string variant)
    {
        var fitted = Fit(new RbfSvm { Tolerance = 1e-6, Calibrate = false }, variant);
        var layer = fitted.Layers[^1];
        var machine = (RbfMachine)layer.Operation;

        Assert.Equal(Data.Value[variant, "svc_gamma"].Single(), machine.Gamma, 1e-6 * machine.Gamma);
        // An image whose α is 1e-9 may be counted by one of the two.
        Assert.All(
            Reference.Integers(variant, "svc_n_support").Zip(machine.SupportVectors),
            counts => Assert.InRange(counts.Second, counts.First - 1, counts.First + 1));
        var votes = Votes(machine, layer, Standardized(fitted));
        AssertClose(Data.Value[variant, "svc_decision_ovr"], votes, absolute: 1e-3);
        Assert.Equal(Reference.Labels(variant, "svc_pred"), votes.Chunk(5).Select(row => Array.IndexOf(row, row.Max())));
        Assert.Equal(Reference.Labels(variant, "svc_pred"), Outputs(fitted).Select(Largest));
    }

    [SharedTheory(Folder)]
    [MemberData(nameof(Variant))]
    public void Naive_Bayes_has_the_same_likelihoods(string variant)
    {
        var fitted = Fit(new GaussianNaiveBayes { Calibrate = false }, variant);
        var values = fitted.Layers[^1].Values;
        using var scope = NewDisposeScope();
        var joint = TorchClassifiers.JointLogLikelihoods(
            Standardized(fitted), Matrix(values[ParameterRole.ClassMeans]), Matrix(values[ParameterRole.ClassVariances]),
            tensor(values[ParameterRole.LogPriors]).to_type(ScalarType.Float64));

        AssertClose(Data.Value[variant, "gnb_joint_log_likelihood"], joint.ToDoubles(), relative: 1e-6);
        var outputs = Outputs(fitted);
        // Differences of the former: 1e-6 of sums of some thousands.
        AssertClose(Data.Value[variant, "gnb_log_prob"], [.. outputs.SelectMany(row => row.Select(value => (double)value))], absolute: 1e-2);
        Assert.Equal(Reference.Labels(variant, "gnb_pred"), outputs.Select(Largest));

        static Tensor Matrix(float[] values) => tensor(values).to_type(ScalarType.Float64).view(5, -1);
    }

    [SharedTheory(Folder)]
    [MemberData(nameof(Variant))]
    public void Nearest_neighbors_are_the_same(string variant)
    {
        var fitted = Fit(new NearestNeighbors { Calibrate = false }, variant);
        using var scope = NewDisposeScope();
        var examples = tensor(fitted.Layers[^1].Values[ParameterRole.Examples]).to_type(ScalarType.Float64).view(600, -1);
        var (distances, indices) = TorchClassifiers.Nearest(Standardized(fitted), examples, 5);

        // Of a photo that is there twice the distance is 0, but for rounding.
        AssertClose(Data.Value[variant, "knn_distance"], distances.ToDoubles(), absolute: 1e-5, relative: 1e-5);
        Assert.Equal(Reference.Integers(variant, "knn_index"), indices.data<long>().ToArray().Select(index => (int)index));
        var outputs = Outputs(fitted);
        AssertClose(Data.Value[variant, "knn_prob"], [.. outputs.SelectMany(Probabilities.Softmax)], absolute: 1e-6);
        Assert.Equal(Reference.Labels(variant, "knn_pred"), outputs.Select(Largest));
    }

    /// <summary>
    /// scikit-learn's first coefficients and the intercept of the last class, for the first 120 photos of the first class and 30 of the
    /// second: <c>LogisticRegression(solver="newton-cg", tol=1e-9)</c>, the same and <c>LinearSVC(dual=False, tol=1e-9)</c> with
    /// <c>class_weight="balanced"</c>.
    /// </summary>
    [SharedFact(Folder)]
    public void Two_classes_make_the_binary_machine()
    {
        int[] counts = [120, 30];
        var plain = FitPart(new LogisticRegression { Tolerance = 1e-8 }, counts).Layers[1];
        var balanced = FitPart(new LogisticRegression { Tolerance = 1e-8, ClassWeights = ClassWeighting.Balanced }, counts).Layers[1];
        var machine = FitPart(new LinearSvm { ClassWeights = ClassWeighting.Balanced }, counts).Layers[1];

        // The binary machine's w is the difference of both classes' vectors.
        AssertClose([0.071783792, -0.003473125, -0.054454778, -5.5734464], Difference(plain), absolute: 1e-5);
        AssertClose([0.07402117, -0.0035641931, -0.056402547, -5.0332714], Difference(balanced), absolute: 1e-5);
        AssertClose([0.024198665, -0.0023349704, -0.014633282, -0.16790904], [.. Difference(machine).Select(value => value / 2)], absolute: 1e-5);

        static double[] Difference(FittedLayer layer)
        {
            var (kernel, bias) = (layer.Values[ParameterRole.DenseKernel], layer.Values[ParameterRole.Bias]);
            return [.. Enumerable.Range(0, 3).Select(feature => (double)kernel[1280 + feature] - kernel[feature]), bias[1] - bias[0]];
        }
    }

    /// <summary>As above, for the first 120, 100, 80, 60 and 40 photos of the classes; and <c>SVC(tol=1e-6)</c> and <c>NearestCentroid()</c>.</summary>
    [SharedFact(Folder)]
    public void Balanced_classes_weigh_the_same()
    {
        int[] counts = [120, 100, 80, 60, 40];
        var logistic = FitPart(new LogisticRegression { Tolerance = 1e-8, ClassWeights = ClassWeighting.Balanced }, counts).Layers[1];
        var linear = FitPart(new LinearSvm { ClassWeights = ClassWeighting.Balanced }, counts).Layers[1];
        var radial = FitPart(new RbfSvm { Tolerance = 1e-6, ClassWeights = ClassWeighting.Balanced, Calibrate = false }, counts);

        AssertClose([0.027057296, 0.014490039, -0.024052947], logistic.Values[ParameterRole.DenseKernel][(4 * 1280)..(4 * 1280 + 3)], absolute: 1e-5);
        AssertClose([1.3616326, 0.61908113, -0.075234146, -0.37116682, -1.5343128], logistic.Values[ParameterRole.Bias], absolute: 1e-4);
        AssertClose([0.018267767, 0.010777286, -0.015701012], linear.Values[ParameterRole.DenseKernel][(4 * 1280)..(4 * 1280 + 3)], absolute: 1e-5);
        AssertClose([-0.20961537, -0.23285803, -0.37127251, -0.63868933, -0.71011949], linear.Values[ParameterRole.Bias], absolute: 1e-4);
        var votes = Votes((RbfMachine)radial.Layers[^1].Operation, radial.Layers[^1], Standardized(radial)).Chunk(5);
        var expected =
            "000000020000000010002000000000000000000000000000000000000100011111111111121111111111111011111111111111111111111111111111"
            + "222224222222222222221222242222222222222222222222222222242222331333233333333333413334333332323333333123333333133333333233"
            + "424422444421244444444444441041242424224142444141444444442144";
        // Of classes with as many votes scikit-learn predicts the first, and decision_function ranks the clearest first.
        Assert.InRange(votes.Select(row => Array.IndexOf(row, row.Max())).Zip(expected).Count(pair => pair.First != pair.Second - '0'), 0, 1);
        Assert.Equal([94, 89, 75, 57, 39], ((RbfMachine)radial.Layers[^1].Operation).SupportVectors);
        Assert.Equal(
            "000000420000000010002000000000000000000000000000000000000100001011131111131031111111111000113111111111111111111113111111"
            + "222224222222222222231222242222222222221222222222222222242122334330333333333333433334333132323333033033333333133333333233"
            + "424422444421144444444444441044242424024142444141444444442344",
            string.Concat(Outputs(FitPart(new NearestClassMean(), counts)).Select(Largest)));
    }

    /// <summary>Fits on the first so many photos of each class, standardized.</summary>
    private static FittedClassifier FitPart(FeatureClassifier classifier, int[] counts)
    {
        var labels = Data.Value.TrainLabels;
        int[] images = [.. counts.SelectMany((count, label) => Enumerable.Range(0, labels.Length).Where(image => labels[image] == label).Take(count))];
        return classifier.Fit(
            [.. images.Select(image => Data.Value.Train[image])], [.. images.Select(image => labels[image])], counts.Length,
            cancellation: TestContext.Current.CancellationToken);
    }

    private static FittedClassifier Fit(FeatureClassifier classifier, string variant) =>
        (classifier with { Standardize = variant == "scaled" }).Fit(
            Data.Value.Train, Data.Value.TrainLabels, 5, cancellation: TestContext.Current.CancellationToken);

    private static Network Features => new("features", [new("features", new Input(1280, 0, 0), [])]);

    private static IReadOnlyList<float[]> Outputs(FittedClassifier fitted)
    {
        using var module = fitted.ToModule(Features);
        return Trainer.Outputs(module, new ExamplesInMemory(Data.Value.Test, new int[300]), batchSize: 128, TestContext.Current.CancellationToken);
    }

    /// <summary>The test features as the last layer gets them, float64.</summary>
    private static Tensor Standardized(FittedClassifier fitted)
    {
        var rows = Data.Value.Test;
        if (fitted.Layers.Count > 1)
        {
            using var module = (fitted with { Layers = [fitted.Layers[0]] }).ToModule(Features);
            rows = [.. Trainer.Outputs(module, new ExamplesInMemory(rows, new int[300]), batchSize: 128, TestContext.Current.CancellationToken)];
        }
        return tensor([.. rows.SelectMany(row => row)]).to_type(ScalarType.Float64).view(300, -1);
    }

    private static double[] Votes(RbfMachine machine, FittedLayer layer, Tensor features)
    {
        using var scope = NewDisposeScope();
        var vectors = machine.SupportVectors.Sum();
        return TorchClassifiers.Votes(
            TorchClassifiers.PairDecisions(
                machine, features, Double(ParameterRole.Examples).view(vectors, -1), Double(ParameterRole.Coefficients).view(4, vectors),
                Double(ParameterRole.Offsets)),
            5).ToDoubles();

        Tensor Double(ParameterRole role) => tensor(layer.Values[role]).to_type(ScalarType.Float64);
    }

    private static int Largest(float[] row) => Array.IndexOf(row, row.Max());

    private static void AssertClose(double[] expected, float[] actual, double absolute = 0, double relative = 0) =>
        AssertClose(expected, [.. actual.Select(value => (double)value)], absolute, relative);

    private static void AssertClose(double[] expected, double[] actual, double absolute = 0, double relative = 0)
    {
        Assert.Equal(expected.Length, actual.Length);
        var (worst, place) = expected.Zip(actual, (a, b) => Math.Abs(a - b) - relative * Math.Abs(a)).Select((excess, index) => (excess, index)).Max();
        Assert.True(worst <= absolute, $"Element {place}: expected {expected[place]:R}, found {actual[place]:R}.");
    }

    private sealed class Reference
    {
        public float[][] Train { get; } = [.. Features("x_train")];

        public float[][] Test { get; } = [.. Features("x_test")];

        public int[] TrainLabels { get; } = [.. NumpyFile.Load<long>(File("features.npz"), "y_train").Values.Select(label => (int)label)];

        public double[] this[string variant, string name] => NumpyFile.Load<double>(File($"sklearn_{variant}.npz"), name).Values;

        public static int[] Labels(string variant, string name) =>
            [.. NumpyFile.Load<long>(File($"sklearn_{variant}.npz"), name).Values.Select(value => (int)value)];

        public static int[] Integers(string variant, string name) => name == "svc_n_support"
            ? NumpyFile.Load<int>(File($"sklearn_{variant}.npz"), name).Values
            : Labels(variant, name);

        private static string File(string name) => SharedFolder.Path($"{Folder}/{name}");

        private static IEnumerable<float[]> Features(string name) => NumpyFile.Load<float>(File("features.npz"), name).Values.Chunk(1280);
    }
}
