using System.Text.Json.Serialization;
using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>
/// A classic classifier, with its options, that is fitted on features in one go, to the optimum where there is one. Fitted, it is a
/// list of network layers to append to the features, whose outputs are logits. The same features and seed give the same classifier
/// on the same machine.
/// </summary>
public abstract record FeatureClassifier
{
    /// <summary>Fewer images of a class than cross-validation has folds say little of how sure the others can be.</summary>
    private const int FewImages = StratifiedFolds.Count;

    /// <summary>As the command and the files know it: <c>logistic</c>, <c>svm</c>, <c>rbf-svm</c>, <c>bayes</c>, <c>knn</c>, <c>mean</c>.</summary>
    [JsonIgnore]
    public abstract string Name { get; }

    /// <summary>In words, for a summary: "logistic regression".</summary>
    [JsonIgnore]
    public abstract string Title { get; }

    /// <summary>
    /// Whether each feature is first moved to mean 0 and scaled to (population) variance 1 over the training images; one that does
    /// not vary is only moved. Default true.
    /// </summary>
    public bool Standardize { get; init; } = true;

    /// <summary>
    /// Whether outputs are scaled by a temperature, fitted on images that 5-fold cross-validation held out, so that the probabilities are
    /// calibrated. No prediction changes. Default true; without it they are what scikit-learn's <c>predict_proba</c> gives, where it has one.
    /// </summary>
    public bool Calibrate { get; init; } = true;

    /// <summary>Whether some images may count more than others in the fit.</summary>
    [JsonIgnore]
    public virtual bool TakesWeights => false;

    /// <summary>What is wrong with these options, a sentence each; empty if nothing is.</summary>
    public virtual IReadOnlyList<string> Problems() => [];

    /// <param name="rows">The features of each training image, all of one length.</param>
    /// <param name="labels">The class of each, from 0.</param>
    /// <param name="classes">How many classes there are, at least 2; each has an image.</param>
    /// <param name="seed">Decides the folds of cross-validation.</param>
    /// <param name="groups">
    /// Where rows are several views of one image, the number of each row's image: cross-validation holds them out together. Null where each
    /// row is an image.
    /// </param>
    /// <exception cref="GraftException">Unsuitable options or images, a feature that is no number, or no end of the fit.</exception>
    public FittedClassifier Fit(
        IReadOnlyList<float[]> rows, IReadOnlyList<int> labels, int classes, int seed = 1, IReadOnlyList<int>? groups = null,
        IProgress<StepProgress>? progress = null, CancellationToken cancellation = default)
    {
        if (Problems() is { Count: > 0 } problems) throw new GraftException(string.Join(" ", problems));
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        return Fit(FeatureMatrix.Of(rows, labels, classes, groups), new(seed, progress, cancellation));
    }

    internal virtual FittedClassifier Fit(FeatureMatrix features, FittingWork work)
    {
        if (!Standardize) return Fit(features, features, work);
        var standardization = Standardization.Of(features);
        var fitted = Fit(features, standardization.Apply(features), work);
        return fitted with { Layers = [standardization.Layer(), .. fitted.Layers] };
    }

    /// <summary>The outputs for each image by a fit without its fold, [images, classes], float64; NaN where it is in no fold.</summary>
    internal virtual Tensor HeldOutOutputs(FeatureMatrix raw, IReadOnlyList<Fold> folds, FittingWork work)
    {
        var outputs = full([raw.Count, raw.Classes], Number(double.NaN), ScalarType.Float64);
        foreach (var fold in folds)
        {
            work.Cancellation.ThrowIfCancellationRequested();
            LibtorchTuning.ReleaseFree();
            using var scope = NewDisposeScope();
            var fitted = Fit(raw.Subset(fold.Kept), work);
            outputs.index_copy_(0, tensor([.. fold.HeldOut.Select(image => (long)image)]), fitted.Outputs(raw.Subset(fold.HeldOut)));
        }
        return outputs;
    }

    /// <param name="raw">The features as they are, for fits on a part of the images: <see cref="Prepare"/>.</param>
    /// <param name="features">The same, standardized if wanted.</param>
    private protected abstract FittedClassifier Fit(FeatureMatrix raw, FeatureMatrix features, FittingWork work);

    /// <summary>Adds the temperature, if it is wanted.</summary>
    /// <param name="fitted">Not calibrated yet.</param>
    /// <param name="features">The images.</param>
    /// <param name="outOfFold">
    /// The outputs for each image by a fit without it, [images, classes], float64; rows that begin with NaN do not count.
    /// </param>
    private protected FittedClassifier Calibrated(FittedClassifier fitted, FeatureMatrix features, Func<Tensor> outOfFold)
    {
        if (!Calibrate) return fitted;
        var factor = Temperature.Fit(outOfFold(), features);
        var smallest = features.ImageCounts().Min();
        return fitted with
        {
            Warnings = smallest >= FewImages
                ? fitted.Warnings
                :
                [
                    .. fitted.Warnings,
                    $"The smallest class has {smallest} photo{(smallest == 1 ? "" : "s")} to train on: with fewer than {FewImages}, probabilities are rough.",
                ],
            Layers = [.. fitted.Layers, Temperature.Layer(factor, features.Classes)],
            Facts = new Dictionary<string, object?>(fitted.Facts, StringComparer.Ordinal) { ["calibration"] = factor },
        };
    }

    /// <summary>A part of the images to fit on and the rest to measure on, both standardized by the former if that is wanted.</summary>
    private protected (FeatureMatrix Kept, FeatureMatrix HeldOut) Prepare(FeatureMatrix raw, Fold fold)
    {
        var (kept, heldOut) = (raw.Subset(fold.Kept), raw.Subset(fold.HeldOut));
        if (!Standardize) return (kept, heldOut);
        var standardization = Standardization.Of(kept);
        return (standardization.Apply(kept), standardization.Apply(heldOut));
    }
}

/// <summary>What a fit is done with beyond the features.</summary>
internal sealed record FittingWork(int Seed, IProgress<StepProgress>? Progress, CancellationToken Cancellation);

/// <summary>A layer and the values that its parameters were given.</summary>
internal sealed record FittedLayer(string Name, Operation Operation, IReadOnlyDictionary<ParameterRole, float[]> Values);

/// <summary>A classifier of features, as network layers with their weights; the outputs are logits.</summary>
public sealed record FittedClassifier : IWeights
{
    internal FittedClassifier()
    {
    }

    /// <summary>As <see cref="FeatureClassifier.Name"/>.</summary>
    public required string Name { get; init; }

    /// <summary>What was fitted, and how the fit went, in a sentence or two.</summary>
    public required string Summary { get; init; }

    /// <summary>What was chosen or found, by its name in <c>result.json</c>: <c>c</c>, <c>support_vectors</c>.</summary>
    public IReadOnlyDictionary<string, object?> Facts { get; init; } = new Dictionary<string, object?>(StringComparer.Ordinal);

    /// <summary>What to tell the user about the fit, a sentence each; mostly empty.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>The C it was fitted with, given or chosen; null where there is none.</summary>
    public double? C { get; init; }

    /// <summary>How many numbers the classifier consists of, without those that standardize the features.</summary>
    public long ParameterCount =>
        Layers.Where(layer => layer.Name != Standardization.LayerName).Sum(layer => layer.Values.Values.Sum(values => (long)values.Length));

    internal IReadOnlyList<FittedLayer> Layers { get; init; } = [];

    /// <summary>Adds the layers, all named <c>head.*</c>.</summary>
    /// <param name="features">A vector of as many features as it was fitted on.</param>
    public Node Build(Node features) =>
        Layers.Aggregate(features, (node, layer) => node.Builder.Add(layer.Name, layer.Operation, node));

    /// <summary>The module from a network's output on; it goes to <see cref="ImageClassifier.Of(Backbones.Backbone, TorchNetwork, IReadOnlyList{string})"/>.</summary>
    /// <param name="features">The network whose output the classifier was fitted on.</param>
    public TorchNetwork ToModule(Network features)
    {
        var builder = new NetworkBuilder(features.Name, [new(features.Output.Name, Input.Of(features.OutputShape), [])]);
        return new(builder.Build(Build(builder.Node(features.Output.Name))), this);
    }

    /// <summary>The probabilities of the classes for each row of features.</summary>
    public IReadOnlyList<float[]> Probabilities(IReadOnlyList<float[]> rows)
    {
        if (rows.Count == 0) return [];
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        var outputs = Outputs(FeatureMatrix.WithoutLabels(rows, classes: 1)).softmax(1);
        return [.. outputs.ToFloats().Chunk((int)outputs.shape[1])];
    }

    /// <summary>[images, classes], float64.</summary>
    internal Tensor Outputs(FeatureMatrix features)
    {
        using var module = ToModule(new("features", [new("features", Input.Of(TensorShape.Vector(features.Length)), [])]));
        return module.call(features.Values).to_type(ScalarType.Float64);
    }

    void IWeights.Read(Parameter parameter, Span<float> destination)
    {
        var values = Layers.First(layer => layer.Name == parameter.Layer).Values.GetValueOrDefault(parameter.Role);
        // What is not listed does nothing: the shift of an affine transform.
        if (values is null) destination.Clear();
        else values.CopyTo(destination);
    }
}
