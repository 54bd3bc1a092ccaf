using Graft.Classifiers;
using Graft.Data;
using Graft.Evaluation;
using Graft.Imaging;
using Graft.Networks;
using Graft.Training;

namespace Graft.Runs;

/// <summary>A network trained in stages: its head, or layers of it too.</summary>
/// <param name="model">Stays the caller's.</param>
internal sealed class NetworkFit(GraftedNetwork model) : IFit
{
    /// <summary>A flattened map can have tens of thousands, for each photo.</summary>
    private const int MostMappedFeatures = 16384;

    private readonly PhotoHashes _hashes = new();

    public Preprocessing Preprocessing => model.Backbone.Preprocessing;

    public LearningRateSweep FindLearningRate(LabeledImages photos, TrainingPlan plan, TrainingWork work)
    {
        using var threads = plan.Threads is { } count ? new TorchThreads(count) : null;
        return LearningRateFinder.Sweep(model, photos, plan.Options, ContextOf(work), work.Cancellation);
    }

    public void Assist(LabeledImages photos, TrainingPlan plan, TrainingWork work)
    {
        using var threads = plan.Threads is { } count ? new TorchThreads(count) : null;
        _ = FineTuning.Train(model, photos, plan.Options, ContextOf(work), work.Cancellation);
    }

    private FineTuningContext ContextOf(TrainingWork work) => new()
    {
        Cache = work.Context.Cache,
        Ranks = work.Context.Ranks,
        Checkpoints = work.Checkpoints,
        Progress = work.Context.Progress,
        Warn = work.Context.Warn,
        OnStage = work.Callbacks,
        Objective = work.Context.Objective,
        Hashes = _hashes,
    };

    public Fitted Fit(LabeledImages photos, TrainingPlan plan, TrainingWork work)
    {
        var (context, cancellation) = (work.Context, work.Cancellation);
        using var threads = plan.Threads is { } count ? new TorchThreads(count) : null;
        var trained = FineTuning.Train(model, photos, plan.Options, ContextOf(work), cancellation);
        photos = trained.Photos;

        var isVector = trained.Network.ShapeOf(trained.Boundary).IsVector;
        var classifier = ModelOf(isVector ? trained.Boundary : null);
        // What is worth caching of a head on frozen layers is worth nothing of a trained network; but the map is drawn of what its head sees.
        var mapped = isVector ? trained.Boundary : trained.Network.Layers.Last(layer => !layer.Name.StartsWith("head.", StringComparison.Ordinal)).Name;
        using var mappedModel = isVector || trained.Network.ShapeOf(mapped).ElementCount > MostMappedFeatures ? null : ModelOf(mapped);
        var rows = new List<float[]>();
        try
        {
            var validation = Evaluate(photos.Validation)
                ?? throw new GraftException("None of the validation images can be read any more. Put them back, and resume the run.");
            var test = Evaluate(photos.Test);
            return new()
            {
                Photos = photos,
                Model = classifier,
                Validation = validation,
                Test = test,
                Novelty = plan.Refuse == 0 || !trained.Network.ShapeOf(mapped).IsVector ? null : NoveltyOf(photos, rows),
                MapRows = isVector || mappedModel is not null ? rows : [],
                DataCheck = TrainingDataCheck.Of(photos, _hashes, cancellation),
                Stages = trained.Histories,
                Weights = plan.Options.Strategy == Strategy.Scratch
                    ? new Dictionary<string, string>()
                    : new Dictionary<string, string> { [model.Backbone.Name] = model.Backbone.Fingerprint },
                FeatureSeconds = trained.FeatureSeconds,
                TrainingSeconds = trained.Histories.Sum(entry => entry.History.Epochs[^1].Seconds),
                CacheHits = trained.CacheHits,
                CacheMisses = trained.CacheMisses,
            };
        }
        catch
        {
            classifier.Dispose();
            throw;
        }

        ImageClassifier ModelOf(string? featureLayer) => ImageClassifier.Of(
            model.Backbone.Name, trained.Network, trained.Weights, model.Backbone.Preprocessing, photos.Classes, featureLayer);

        // Of some training photos, for each of which the whole network is run once more.
        Novelty? NoveltyOf(LabeledImages all, List<float[]> evaluated)
        {
            int[] labels = [.. all.Train.Select(image => image.Class)];
            LabeledImage[] some = [.. NoveltyFit.Sample(labels, NoveltyFit.MostExamples, plan.Seed).Select(photo => all.Train[photo])];
            var (training, classes) = Rows(some);
            var others = all.Others.Count == 0 ? [] : Rows([.. all.Others.Select(image => new LabeledImage(image, 0))]).Rows;
            return NoveltyFit.Fit(training, classes, [.. evaluated.Take(all.Validation.Count)], [.. all.Validation.Select(image => image.Class)], others, mapped, plan.Seed);
        }

        (IReadOnlyList<float[]> Rows, int[] Labels) Rows(IReadOnlyList<LabeledImage> images)
        {
            var predictions = (mappedModel ?? classifier).Predict(images, isVector ? context.Cache : null, context.Warn, _hashes, context.Progress, cancellation);
            var labels = images.ToLookup(image => image.Path, image => image.Class);
            return (predictions.Features, [.. predictions.Read.Select(prediction => labels[prediction.Path].First())]);
        }

        EvaluationResult? Evaluate(IReadOnlyList<LabeledImage> images)
        {
            if (images.Count == 0) return null;
            var predictions = (mappedModel ?? classifier).Predict(
                images, isVector ? context.Cache : null, context.Warn, _hashes, context.Progress, cancellation);
            if (predictions.Broken.Count > 0) photos = photos.WithSkipped(predictions.Broken);
            if (predictions.Read.Count == 0) return null;
            rows.AddRange(predictions.Features);
            var labels = images.ToLookup(image => image.Path, image => image.Class);
            return EvaluationResult.Of(
                photos.Classes, [.. predictions.Read.Select(prediction => labels[prediction.Path].First())],
                [.. predictions.Read.Select(prediction => prediction.Probabilities)]);
        }
    }
}
