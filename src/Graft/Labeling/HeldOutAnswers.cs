using Graft.Classifiers;
using Graft.Data;
using Graft.Features;
using Graft.Runs;
using static Graft.Networks.Scalars;
using static TorchSharp.torch;

namespace Graft.Labeling;

/// <summary>What a model says of photos of known class that it was not fitted on.</summary>
/// <param name="Probabilities">For each photo one number for each of the model's classes.</param>
/// <param name="Labels">The names of their classes.</param>
/// <param name="Source">Where they come from: "cross-validation of …".</param>
internal sealed record HeldOutAnswers(IReadOnlyList<IReadOnlyList<float>> Probabilities, IReadOnlyList<string> Labels, string Source)
{
    /// <summary>
    /// Of a run: by cross-validation on its training and validation photos, if it fitted a classic classifier on features and the photos are still there; else of its
    /// validation and test photos.
    /// </summary>
    public static HeldOutAnswers OfRun(string folder, FeatureCache? cache, IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        var run = SavedRun.Open(folder);
        if (run.Description?.Request is { Way: Ways.Classifier, Unlabeled: null } request && request.Photos is not null && LabeledImages.IsThere(request.Photos))
        {
            try
            {
                return CrossValidated(request, cache, progress, cancellation);
            }
            catch (GraftException)
            {
                // Photos or weights are no longer what they were: the run's own answers remain.
            }
        }
        var images = run.Predictions.Images;
        return new(
            [.. images.Select(image => image.Probabilities)], [.. images.Select(image => run.Result.Classes[image.Label])],
            run.Test is null ? "the run's validation photos" : "the run's validation and test photos");
    }

    /// <summary>Of labeled photos, without those that the model was trained on.</summary>
    public static HeldOutAnswers OfPhotos(
        string labeled, ImageClassifier model, string? modelPath, IReadOnlyList<string> names, FeatureCache? cache, IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        var photos = LabeledImages.Load(labeled, LabeledImagesOptions.ForEvaluation(names));
        var all = photos.All.ToList();
        var predictions = model.Predict([.. all.Select(image => image.Path)], cache, warn: null, progress, cancellation);
        var trained = modelPath is null ? new HashSet<string>() : RunPhotos.TrainedOn(modelPath, predictions.Read.Select(prediction => prediction.Path), cancellation);
        var classes = all.ToLookup(image => image.Path, image => photos.Classes[image.Class]);
        var unseen = predictions.Read.Where(prediction => !trained.Contains(prediction.Path)).ToList();
        return unseen.Count > 0
            ? new([.. unseen.Select(prediction => prediction.Probabilities)], [.. unseen.Select(prediction => classes[prediction.Path].First())], labeled)
            : throw new GraftException($"The model was trained on all photos of {labeled} that can be read: they say nothing of how right it is with others. Name labeled photos that it does not know.");
    }

    private static HeldOutAnswers CrossValidated(TrainingRequest request, FeatureCache? cache, IProgress<StepProgress>? progress, CancellationToken cancellation)
    {
        using var setup = TrainingSetup.Open(request);
        var (photos, classifier) = (setup.Photos, setup.Plan.Classifier!);
        var set = setup.Features!.Extract([.. photos.Train, .. photos.Validation], cache, warn: null, setup.Plan.Engine, bank: null, progress, cancellation);
        using var inference = no_grad();
        using var scope = NewDisposeScope();
        int[] labels = [.. set.Images.Select(image => image.Class)];
        var features = FeatureMatrix.Of(set.Rows, labels, photos.Classes.Count);
        var folds = features.Folds(setup.Plan.Seed);
        var outputs = (classifier with { Calibrate = false }).HeldOutOutputs(features, folds, new(setup.Plan.Seed, Progress: null, cancellation));
        var rows = (outputs * Number(Temperature.Fit(outputs, features))).softmax(1).ToFloats().Chunk(photos.Classes.Count).ToArray();
        int[] held = [.. Enumerable.Range(0, rows.Length).Where(image => !float.IsNaN(rows[image][0]))];
        return new(
            [.. held.Select(image => rows[image])], [.. held.Select(image => photos.Classes[labels[image]])],
            $"cross-validation of {held.Length:N0} photos of {request.Photos}");
    }
}
