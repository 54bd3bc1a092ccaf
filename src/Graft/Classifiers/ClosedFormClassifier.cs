using Graft.Networks;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Classifiers;

/// <summary>A classifier whose fit is one formula, so that cross-validation costs little.</summary>
public abstract record ClosedFormClassifier : FeatureClassifier
{
    /// <summary>The layer, fitted on these images, whose outputs rank the classes: of a classifier operation, or dense.</summary>
    private protected abstract FittedLayer FitLayer(FeatureMatrix features, FittingWork work);

    /// <summary>What was fitted, in words, and what is to stand in <c>result.json</c>.</summary>
    private protected virtual (string Summary, Dictionary<string, object?> Facts) Describe(FittedLayer layer, FeatureMatrix features) =>
        (Title, new(StringComparer.Ordinal));

    private protected override FittedClassifier Fit(FeatureMatrix raw, FeatureMatrix features, FittingWork work)
    {
        var layer = FitLayer(features, work);
        var (summary, facts) = Describe(layer, features);
        Tensor? outputs = null;
        if (Calibrate) (layer, outputs) = Shape(layer, OutOfFold(raw, work), raw);
        return Calibrated(new() { Name = Name, Summary = summary, Facts = facts, Layers = [layer] }, raw, () => outputs!);
    }

    /// <summary>What calibration needs beyond one factor: the layer, and the outputs for images that were held out, as they then are.</summary>
    private protected virtual (FittedLayer Layer, Tensor Outputs) Shape(FittedLayer layer, Tensor outputs, FeatureMatrix features) =>
        (layer, outputs);

    /// <summary>How often the images are fitted again for calibration, each time without some of them.</summary>
    private protected virtual int CalibrationFolds(FeatureMatrix features) => StratifiedFolds.Count;

    /// <summary>[images, classes], float64: the outputs for each image by a fit without it; NaN for the only image of a class.</summary>
    private Tensor OutOfFold(FeatureMatrix raw, FittingWork work)
    {
        var outputs = full([raw.Count, raw.Classes], Number(double.NaN), ScalarType.Float64);
        var folds = raw.Folds(work.Seed, CalibrationFolds(raw));
        for (var fold = 0; fold < folds.Count; fold++)
        {
            work.Cancellation.ThrowIfCancellationRequested();
            work.Progress?.Report(new("Calibration", fold, folds.Count, "folds"));
            using var scope = NewDisposeScope();
            var (kept, heldOut) = Prepare(raw, folds[fold]);
            outputs.index_copy_(
                0, tensor([.. folds[fold].HeldOut.Select(image => (long)image)]), Outputs(FitLayer(kept, work), heldOut.Values));
        }
        return outputs;
    }

    /// <summary>A layer's outputs for [images, features], float64.</summary>
    private static Tensor Outputs(FittedLayer layer, Tensor features)
    {
        using var scope = NewDisposeScope();
        var outputs = layer.Operation is ClassifierOperation operation
            ? operation.LogProbabilities(features, Weight)
            : features.to_type(ScalarType.Float64).mm(Weight(ParameterRole.DenseKernel).to_type(ScalarType.Float64).t())
                .Increase(Weight(ParameterRole.Bias));
        return outputs.to_type(ScalarType.Float64).MoveToOuterDisposeScope();

        Tensor Weight(ParameterRole role)
        {
            var shape = layer.Operation.Parameters(layer.Name, [TensorShape.Vector((int)features.shape[1])])
                .Single(parameter => parameter.Role == role).Shape;
            return tensor(layer.Values[role]).view([.. shape.Select(size => (long)size)]);
        }
    }
}
