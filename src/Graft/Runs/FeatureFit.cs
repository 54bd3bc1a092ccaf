using System.Diagnostics;
using Graft.Backbones;
using Graft.Classifiers;
using Graft.Data;
using Graft.Evaluation;
using Graft.Features;
using Graft.Imaging;
using Graft.Networks;
using Graft.Training;
using Graft.Transfer;
using Graft.Unlabeled;

namespace Graft.Runs;

/// <summary>Features of frozen networks, each computed once and kept, and a classic classifier or a head on them.</summary>
/// <param name="features">Stay the caller's.</param>
/// <param name="transfer">Photos of another source, for a plan with a transfer method; null without.</param>
/// <param name="stored">The photos' features, computed before; null to compute them.</param>
internal sealed class FeatureFit(FeatureBlocks features, TransferPhotos? transfer = null, StoredFeatures? stored = null) : IFit
{
    /// <summary>Photos below which statistics of batch norms are too uncertain.</summary>
    private const int FewForStatistics = 200;

    private readonly PhotoHashes _hashes = stored?.Hashes ?? new();

    public Preprocessing? Preprocessing => null;

    private FeatureBlocks Features => features;

    /// <summary>What photos of the other source go through; null where it is what all do.</summary>
    private FeatureBlocks? OfSource { get; init; }

    private bool MeasuresSource => transfer is { TargetIsLabeled: false };

    public Fitted Fit(LabeledImages photos, TrainingPlan plan, TrainingWork work)
    {
        if (plan.Transfer is { AdaptsNetwork: true } && OfSource is null) return FitAdapted(photos, plan, work);
        var clock = Stopwatch.StartNew();
        using var step = Prepare(photos, plan, work);
        var (training, others, scaling) = (step.Training, step.Others, step.Scaling);
        photos = step.Photos;
        var featureSeconds = clock.Elapsed.TotalSeconds;
        var novelty = plan.Refuse == 0 && plan.PseudoLabeling is null ? null : NoveltyOf(photos, step.Raw, plan, work);
        var unlabeled = plan.PseudoLabeling is null ? null : step.LearnUnlabeled(novelty);
        var (head, stages, classifier, onSource) = step.Train(training, unlabeled, work.Checkpoints, work.Callbacks);
        using (head)
        using (onSource)
        {
            var measured = onSource ?? head;
            var (validation, test) = (step.EvaluateValidation(measured), step.EvaluateTest(measured));
            using var refitted = plan.Refit ? step.Refit(unlabeled) : null;
            return new()
            {
                Photos = photos,
                Model = ImageClassifier.Of(features, scaling, refitted ?? head, photos.Classes),
                Validation = validation,
                Test = test,
                Novelty = plan.Refuse == 0 ? null : novelty,
                Unlabeled = unlabeled,
                More = [.. _hashes.WithHashes(step.Source.Images), .. _hashes.WithHashes(unlabeled is { Rounds: > 0 } ? unlabeled.Learned : [])],
                MapRows = others.Rows,
                DataCheck = TrainingDataCheck.Of(photos, _hashes, work.Cancellation),
                Stages = stages,
                Classifier = classifier,
                ValidationWithoutViews = plan.Views is null ? null : step.ValidateWithoutViews(),
                Weights = Fingerprints(),
                FeatureSeconds = featureSeconds,
                CacheHits = training.CacheHits + others.CacheHits + step.Source.CacheHits + step.Unlabeled.CacheHits,
                CacheMisses = training.CacheMisses + others.CacheMisses + step.Source.CacheMisses + step.Unlabeled.CacheMisses,
            };
        }
    }

    /// <summary>The same with batch norms by the statistics of each source; the model has the target's.</summary>
    private Fitted FitAdapted(LabeledImages photos, TrainingPlan plan, TrainingWork work)
    {
        if (transfer!.StoredRows is not null)
            throw new GraftException($"{plan.Transfer!.Name} needs the source's photos, and only features of them are stored.") { Remedy = "Take another method, such as coral." };
        var clock = Stopwatch.StartNew();
        LabeledImage[] unlabeled = [.. transfer.Unlabeled.Select(image => new LabeledImage(image, 0))];
        LabeledImage[] target = MeasuresSource ? unlabeled : [.. photos.Train, .. unlabeled];
        if (target.Length < FewForStatistics)
            work.Context.Warn?.Invoke($"The statistics of batch norms are those of {target.Length} photos; some {FewForStatistics} are needed for them to be better than the network's own.");
        using var ofTarget = Adapted(target);
        using var ofSource = Adapted(MeasuresSource ? photos.Train : transfer.Source);
        var seconds = clock.Elapsed.TotalSeconds;
        var fitted = new FeatureFit(ofTarget, transfer) { OfSource = ofSource }.Fit(photos, plan, work);
        return fitted with { FeatureSeconds = fitted.FeatureSeconds + seconds };

        FeatureBlocks Adapted(IReadOnlyList<LabeledImage> images) => new([.. features.Blocks.Select(block =>
        {
            var opened = OpenedPhotos.Open(images, block.Preprocessing, plan.Options.KeptBytes, work.Context.Progress, work.Cancellation);
            return block.WithStatisticsOf(new PhotoExamples(opened, [.. Enumerable.Range(0, opened.Images.Count)], Augmentation.None, plan.Seed), seed: plan.Seed, cancellation: work.Cancellation);
        })]);
    }

    /// <summary>Features of the labeled photos are divided; all that follows them is rank 0's.</summary>
    public void Assist(LabeledImages photos, TrainingPlan plan, TrainingWork work) => Extract(photos, plan, work);

    public LearningRateSweep FindLearningRate(LabeledImages photos, TrainingPlan plan, TrainingWork work)
    {
        using var step = Prepare(photos, plan, work);
        var (model, context) = step.Grafted(step.Training);
        return LearningRateFinder.Sweep(model, step.Photos, step.Plan.Options, context with { OnStage = work.Callbacks }, work.Cancellation);
    }

    /// <summary>Features of all images, those of several networks scaled.</summary>
    private HeadStep Prepare(LabeledImages photos, TrainingPlan plan, TrainingWork work)
    {
        TrainingRun.LoadAhead();
        var (training, others) = Extract(photos, plan, work);
        if (training.Broken.Count + others.Broken.Count > 0) photos = photos.WithSkipped([.. training.Broken, .. others.Broken]);
        var (source, unlabeled) = (transfer?.StoredOf(features) ?? ExtractMore(OfSource ?? features, transfer?.SourceWithoutCopies(photos, _hashes, work) ?? [], plan, work), ExtractMore(features, [.. transfer?.Unlabeled.Select(image => new LabeledImage(image, 0)) ?? []], plan, work));
        var scaling = features.IsCombination ? BlockScaling.Fit(features, training.Rows) : null;
        // Scaled blocks are standardized already.
        return scaling is null
            ? new(this, null, photos, plan, training, others, source, unlabeled, (training, others), work)
            : new(
                this, scaling, photos, Unstandardized(plan), Scaled(scaling, training), Scaled(scaling, others), Scaled(scaling, source), Scaled(scaling, unlabeled),
                (training, others), work);
    }

    /// <summary>Null of features that are no vector, which a model cannot keep so many of.</summary>
    private Novelty? NoveltyOf(LabeledImages photos, (FeatureSet Training, FeatureSet Others) raw, TrainingPlan plan, TrainingWork work)
    {
        if (!features.Shape.IsVector) return null;
        var none = photos.Others.Count == 0 ? [] : features.Extract(
            [.. photos.Others.Select(image => new LabeledImage(image, 0))], work.Context.Cache, work.Context.Warn, plan.Engine, bank: null, _hashes, work.Context.Progress,
            work.Cancellation).Rows;
        var validation = photos.Validation.Count;
        return NoveltyFit.Fit(
            raw.Training.Rows, [.. photos.Train.Select(image => image.Class)], [.. raw.Others.Rows.Take(validation)], [.. photos.Validation.Select(image => image.Class)], none,
            features.IsCombination ? BlockScaling.JoinedLayer : features.Blocks[0].Network.Output.Name, plan.Seed);
    }

    /// <summary>Photos beyond those of the run; what cannot be read is said and left out.</summary>
    private FeatureSet ExtractMore(FeatureBlocks blocks, IReadOnlyList<LabeledImage> images, TrainingPlan plan, TrainingWork work)
    {
        if (images.Count == 0) return new([], [], [], 0, 0);
        var set = blocks.Extract(images, work.Context.Cache, work.Context.Warn, plan.Engine, bank: null, _hashes, work.Context.Progress, work.Cancellation);
        foreach (var file in set.Broken) work.Context.Warn?.Invoke($"{file.Path} is left out: {file.Reason}");
        return set;
    }

    private (FeatureSet Training, FeatureSet Others) Extract(LabeledImages photos, TrainingPlan plan, TrainingWork work)
    {
        if (stored is not null) return (stored.Of(photos.Train), stored.Of([.. photos.Validation, .. photos.Test]));
        var (context, cancellation) = (work.Context, work.Cancellation);
        // Where the target has no labels, these photos are the source's.
        var blocks = MeasuresSource ? OfSource ?? features : features;
        var networks = blocks.Networks(plan.Engine);
        try
        {
            if (context.Ranks is { Size: > 1 } ranks) RankedExtraction.Hash([.. photos.All], _hashes, ranks, cancellation);
            return (Of(photos.Train, plan.Views), Of([.. photos.Validation, .. photos.Test], bank: null));
        }
        finally
        {
            foreach (var network in networks.Where(network => network.IsValueCreated)) network.Value.Dispose();
        }

        FeatureSet Of(IReadOnlyList<LabeledImage> images, ViewBank? bank) => RankedExtraction.Extract(
            images, context.Ranks,
            share => blocks.Extract(share, networks, context.Cache, context.Warn, plan.Engine, bank, context.Progress, cancellation, _hashes),
            isWanted: context.Ranks is not { Rank: > 0 });
    }

    private static FeatureSet Scaled(TorchNetwork scaling, FeatureSet set) => set.Rows.Count == 0 ? set : set with
    {
        Rows = BlockScaling.Apply(scaling, set.Rows),
        Views = [.. set.Views.Select(rows => BlockScaling.Apply(scaling, rows))],
    };

    private static TrainingPlan Unstandardized(TrainingPlan plan) => plan with
    {
        Classifier = plan.Classifier is { } classic ? classic with { Standardize = false } : null,
        Options = plan.Options with { Head = plan.Options.Head with { BatchNorm = false } },
    };

    /// <summary>Of each network; two of one name have other weights or layers.</summary>
    private Dictionary<string, string> Fingerprints() =>
        features.Blocks.GroupBy(block => block.Name, StringComparer.Ordinal).SelectMany(ofName => ofName.Select((block, index) =>
            (Name: index == 0 ? block.Name : $"{block.Name} ({index + 1})", block.Fingerprint)))
            .ToDictionary(pair => pair.Name, pair => pair.Fingerprint, StringComparer.Ordinal);

    /// <summary>What is trained on features, and measured on them.</summary>
    private sealed record HeadStep(
        FeatureFit Fit, TorchNetwork? Scaling, LabeledImages Photos, TrainingPlan Plan, FeatureSet Training, FeatureSet Others, FeatureSet Source,
        FeatureSet Unlabeled, (FeatureSet Training, FeatureSet Others) Raw, TrainingWork Work)
        : IDisposable
    {
        private readonly Network _joint = Scaling?.Network ?? Fit.Features.Blocks[0].Network;

        /// <param name="training">The training images' features, and views of them.</param>
        /// <param name="unlabeled">Unlabeled photos for a classic classifier to learn from too; null without.</param>
        /// <returns>Last the head for photos of another source, where these are measured on; else null.</returns>
        public (TorchNetwork Head, IReadOnlyList<(TrainingStage, TrainingHistory)> Stages, FittedClassifier? Classifier, TorchNetwork? OnSource) Train(
            FeatureSet training, UnlabeledPhotos? unlabeled, string? checkpoints, Func<TrainingStage, IReadOnlyList<ITrainingCallback>>? callbacks)
        {
            if (Plan.Classifier is not null)
            {
                int[] labels = [.. Photos.Train.Select(image => image.Class)];
                var transferred = Plan.Transfer is null ? null : FitTransfer(training.Rows, labels);
                var fitted = transferred?.Classifier ?? FitClassifier(training.Rows, training.Views, labels, unlabeled);
                foreach (var warning in fitted.Warnings) Work.Context.Warn?.Invoke(warning);
                return (fitted.ToModule(_joint), [], fitted, Fit.MeasuresSource ? transferred?.OnSource.ToModule(_joint) : null);
            }
            var (model, context) = Grafted(training);
            var trained = FineTuning.Train(model, Photos, Plan.Options, context with { Checkpoints = checkpoints, OnStage = callbacks }, Work.Cancellation);
            return (new(trained.Network.StartAfter(_joint.Output.Name), trained.Weights), trained.Histories, null, null);
        }

        /// <summary>The frozen part with a new head, and features of it that are known already.</summary>
        public (GraftedNetwork Model, FineTuningContext Context) Grafted(FeatureSet training)
        {
            var block = Fit.Features.Blocks[0];
            var frozen = Scaling is null ? block : Backbone.Of(Fit.Features.Name, _joint, new CopiedWeights(Scaling), block.Preprocessing);
            return (
                frozen.Graft(Plan.Options.Head, Photos.Classes, Plan.Seed),
                new()
                {
                    Objective = Work.Context.Objective,
                    Hashes = Fit._hashes,
                    Extracted = new(_joint.Output.Name, training, Of(PredictionTable.Validation)),
                });
        }

        /// <summary>The features of labeled and unlabeled photos, the images of the latter, and the classifier that is fitted on them; null before <see cref="LearnUnlabeled(Novelty?)"/>.</summary>
        private (PartlyLabeled Data, FeatureSet Unlabeled, FeatureClassifier Settled)? _partly;

        /// <summary>Names the unlabeled photos, and decides by cross-validation in how many rounds the classifier learns from them.</summary>
        /// <param name="novelty">Tells photos unlike the training photos; null where that is not known.</param>
        public UnlabeledPhotos LearnUnlabeled(Novelty? novelty)
        {
            var (context, cancellation) = (Work.Context, Work.Cancellation);
            LabeledImage[] named = [.. Photos.Unlabeled.Select(image => new LabeledImage(image, 0))];
            // Copies of labeled photos teach nothing, and those of photos to measure on would flatter.
            var unlabeled = Fit._hashes.WithoutCopies(named, [.. Photos.All], cancellation);
            if (unlabeled.Count < named.Length) context.Warn?.Invoke($"{named.Length - unlabeled.Count:N0} of the photos without labels are copies of labeled ones, and are left out.");
            var raw = Fit.Features.Extract(unlabeled, context.Cache, context.Warn, Plan.Engine, Plan.Views, Fit._hashes, context.Progress, cancellation);
            if (raw.Images.Count == 0)
                throw new GraftException("There is nothing to learn from without labels: all of these photos are among the labeled ones, or cannot be read.") { Code = "no-unlabeled-photos" };
            var scaled = Scaling is null ? raw : Scaled(Scaling, raw);
            var cut = novelty?.Cut(Plan.Refuse == 0 ? Novelty.DefaultRefuse : Plan.Refuse);
            bool[]? isUnlike = cut is { } most ? [.. novelty!.Distances(raw.Rows).Select(distance => distance > most)] : null;
            int[] labels = [.. Photos.Train.Select(image => image.Class)];
            var settled = PseudoLabeling.Settled(Plan.Classifier!, Training.Rows, labels, Photos.Classes.Count, Plan.Seed, context.Progress, cancellation);
            PartlyLabeled data = new(Training.Rows, labels, Photos.Classes.Count, scaled.Rows) { IsUnlike = isUnlike, LabeledViews = Training.Views, UnlabeledViews = scaled.Views };
            data = Plan.PseudoLabeling!.WithGraph(data, cancellation);
            _partly = (data, raw, settled);
            var learned = LearnUnlabeled(data);
            foreach (var warning in learned.Warnings) context.Warn?.Invoke(warning);
            return learned;
        }

        private UnlabeledPhotos LearnUnlabeled(PartlyLabeled data) => UnlabeledPhotos.Learn(
            Plan.PseudoLabeling!, _partly!.Value.Settled, data, Photos.Classes, _partly.Value.Unlabeled, Plan.Seed, Work.Context.Progress, Work.Cancellation);

        public void Dispose() => Scaling?.Dispose();

        public EvaluationResult EvaluateValidation(TorchNetwork head) => Evaluate(head, Of(PredictionTable.Validation));

        /// <summary>Null without test images.</summary>
        public EvaluationResult? EvaluateTest(TorchNetwork head) => Of(PredictionTable.Test) is { Rows.Count: > 0 } test ? Evaluate(head, test) : null;

        /// <summary>What the same gives without augmented views.</summary>
        public EvaluationResult ValidateWithoutViews()
        {
            var unlabeled = _partly is { } partly ? LearnUnlabeled(partly.Data with { LabeledViews = [], UnlabeledViews = [] }) : null;
            var (head, _, _, _) = Train(Training with { Views = [] }, unlabeled, checkpoints: null, callbacks: null);
            using (head) return EvaluateValidation(head);
        }

        /// <summary>The classic classifier, fitted on the training and validation images.</summary>
        public TorchNetwork Refit(UnlabeledPhotos? unlabeled)
        {
            IReadOnlyList<float[]> rows = [.. Training.Rows, .. Of(PredictionTable.Validation).Rows];
            int[] labels = [.. Photos.Train.Select(image => image.Class), .. Photos.Validation.Select(image => image.Class)];
            return (Plan.Transfer is null ? FitClassifier(rows, [], labels, unlabeled) : FitTransfer(rows, labels).Classifier).ToModule(_joint);
        }

        /// <param name="rows">Of labeled photos of the target or, where it has none, of the source.</param>
        private TransferFit FitTransfer(IReadOnlyList<float[]> rows, int[] labels)
        {
            var data = Fit.MeasuresSource
                ? new TransferData { Source = rows, SourceLabels = labels, Unlabeled = Unlabeled.Rows, Classes = Photos.Classes.Count }
                : new TransferData
                {
                    Source = Source.Rows,
                    SourceLabels = [.. Source.Images.Select(image => image.Class)],
                    Target = rows,
                    TargetLabels = labels,
                    Unlabeled = Unlabeled.Rows,
                    Classes = Photos.Classes.Count,
                };
            return Plan.Transfer!.Fit(data, Plan.Classifier!, Plan.Seed, Work.Context.Progress, Work.Cancellation);
        }

        /// <summary>Fitted in one go, so on the images and all their views at once.</summary>
        private FittedClassifier FitClassifier(IReadOnlyList<float[]> rows, IReadOnlyList<IReadOnlyList<float[]>> views, int[] labels, UnlabeledPhotos? unlabeled)
        {
            if (unlabeled is { Rounds: > 0 })
            {
                PartlyLabeled data = new(rows, labels, Photos.Classes.Count, unlabeled.Rows) { LabeledViews = views, UnlabeledViews = unlabeled.Views };
                return Plan.PseudoLabeling!.Fit(_partly!.Value.Settled, data, unlabeled.Labels, Plan.Seed, Work.Context.Progress, Work.Cancellation);
            }
            return Plan.Classifier!.Fit(
                [.. rows, .. views.SelectMany(ofView => ofView)], [.. Enumerable.Repeat(labels, 1 + views.Count).SelectMany(ofView => ofView)],
                Photos.Classes.Count, Plan.Seed,
                views.Count == 0 ? null : [.. Enumerable.Range(0, (1 + views.Count) * labels.Length).Select(row => row % labels.Length)],
                Work.Context.Progress, Work.Cancellation);
        }

        private FeatureSet Of(string split)
        {
            var range = split == PredictionTable.Validation ? ..Photos.Validation.Count : Photos.Validation.Count..;
            return Others with
            {
                Images = [.. Others.Images.Take(range)],
                Rows = [.. Others.Rows.Take(range)],
            };
        }

        private EvaluationResult Evaluate(TorchNetwork head, FeatureSet set)
        {
            int[] labels = [.. set.Images.Select(image => image.Class)];
            // A head's matrices are too small to share among cores: waiting for each other would cost more than it saves.
            using var oneThread = Plan.Classifier is null ? new TorchThreads(1) : null;
            return EvaluationResult.Of(
                Photos.Classes, labels,
                [.. Trainer.Outputs(head, new ExamplesInMemory(set.Rows, labels), batchSize: 256, Work.Cancellation).Select(Probabilities.Softmax)]);
        }
    }
}
