using Graft.Backbones;
using Graft.Classifiers;
using Graft.Data;
using Graft.Evaluation;
using Graft.Features;
using Graft.Imaging;
using Graft.Networks;
using Graft.Training;

namespace Graft.Runs;

/// <summary>A network trained in stages: its head, or layers of it too.</summary>
/// <param name="model">Stays the caller's.</param>
/// <param name="teacher">Whose answers it learns beside the labels; null for none. Stays the caller's.</param>
/// <param name="transfer">Photos of another source; null for none.</param>
internal sealed class NetworkFit(GraftedNetwork model, ModelTeacher? teacher = null, TransferPhotos? transfer = null) : IFit
{
    /// <summary>A flattened map can have tens of thousands, for each photo.</summary>
    private const int MostMappedFeatures = 16384;

    private readonly PhotoHashes _hashes = new();

    public Preprocessing Preprocessing => model.Backbone.Preprocessing;

    public LearningRateSweep FindLearningRate(LabeledImages photos, TrainingPlan plan, TrainingWork work)
    {
        using var threads = plan.Threads is { } count ? new TorchThreads(count) : null;
        using var probe = Probe(photos, plan, work)?.Model;
        return LearningRateFinder.Sweep(Started(probe, photos, plan), photos, plan.Options, ContextOf(photos, plan, work), work.Cancellation);
    }

    public void Assist(LabeledImages photos, TrainingPlan plan, TrainingWork work)
    {
        using var threads = plan.Threads is { } count ? new TorchThreads(count) : null;
        _ = FineTuning.Train(model, photos, plan.Options, ContextOf(photos, plan, work), work.Cancellation);
    }

    /// <summary>Photos of another source, and those without labels where a teacher or another source makes something of them.</summary>
    private IReadOnlyList<LabeledImage> MoreThan(LabeledImages photos, TrainingWork work)
    {
        IReadOnlyList<ImageSource> unlabeled = transfer?.Unlabeled ?? (teacher is null ? [] : photos.Unlabeled);
        LabeledImage[] named = [.. unlabeled.Select(image => new LabeledImage(image, @class: -1))];
        // Copies of labeled photos would tell of those to measure on.
        var kept = named.Length == 0 ? [] : _hashes.WithoutCopies(named, [.. photos.All], work.Cancellation);
        if (kept.Count < named.Length) work.Context.Warn?.Invoke($"{named.Length - kept.Count:N0} of the photos without labels are copies of labeled ones, and are left out.");
        return [.. transfer?.SourceWithoutCopies(photos, _hashes, work) ?? [], .. kept];
    }

    private Func<LabeledImage, bool> IsTarget()
    {
        var ofSource = (transfer!.TargetIsLabeled ? transfer.Source : transfer.Photos.Train).Select(image => image.Path).ToHashSet(StringComparer.Ordinal);
        return image => !ofSource.Contains(image.Path);
    }

    /// <summary>The classifier that the head is to begin as; null where it begins otherwise.</summary>
    private Fitted? Probe(LabeledImages photos, TrainingPlan plan, TrainingWork work)
    {
        if (plan.HeadStart != HeadStart.Optimum) return null;
        using FeatureBlocks features = new(Backbone.Of(model.Backbone.Name, model.Network.CutAfter(model.HeadInput), model.Weights, model.Backbone.Preprocessing));
        var training = plan.LastStage.Training;
        return new FeatureFit(features).Fit(
            photos,
            TrainingPlan.OnFeatures(new() { Seed = plan.Seed }, classifier: new LogisticRegression { C = null, ClassWeights = training.ClassWeights, Calibrate = false }) with { Refuse = 0 },
            work with { Checkpoints = null });
    }

    private GraftedNetwork Started(ImageClassifier? probe, LabeledImages photos, TrainingPlan plan) =>
        probe?.ToTraining(photos.Classes, plan.Options.Head, plan.Seed) ?? model;

    private FineTuningContext ContextOf(LabeledImages photos, TrainingPlan plan, TrainingWork work) => new()
    {
        More = MoreThan(photos, work),
        Domains = transfer is null || plan.CoralWeight == 0 ? null : new(plan.CoralWeight, IsTarget()),
        Cache = work.Context.Cache,
        Ranks = work.Context.Ranks,
        Checkpoints = work.Checkpoints,
        Progress = work.Context.Progress,
        Warn = work.Context.Warn,
        OnStage = work.Callbacks,
        Objective = work.Context.Objective,
        Teacher = teacher,
        Hashes = _hashes,
    };

    public Fitted Fit(LabeledImages photos, TrainingPlan plan, TrainingWork work)
    {
        var (context, cancellation) = (work.Context, work.Cancellation);
        using var threads = plan.Threads is { } count ? new TorchThreads(count) : null;
        var probe = Probe(photos, plan, work);
        using var owned = probe?.Model;
        var trained = FineTuning.Train(Started(probe?.Model, photos, plan), probe?.Photos ?? photos, plan.Options, ContextOf(photos, plan, work), cancellation);
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
                Teacher = teacher is null ? null : new(teacher.BackboneName, teacher.Fingerprint, trained.More.Count),
                More = [.. _hashes.WithHashes(trained.More)],
                LinearProbe = probe is null ? null : new(probe.Classifier!.Summary, probe.Validation),
                Weights = plan.Options.Strategy == Strategy.Scratch
                    ? new Dictionary<string, string>()
                    : new Dictionary<string, string> { [model.Backbone.Name] = model.Backbone.Fingerprint },
                FeatureSeconds = trained.FeatureSeconds + (probe?.FeatureSeconds ?? 0),
                TrainingSeconds = trained.Histories.Sum(entry => entry.History.Epochs[^1].Seconds),
                CacheHits = trained.CacheHits + (probe?.CacheHits ?? 0),
                CacheMisses = trained.CacheMisses + (probe?.CacheMisses ?? 0),
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
