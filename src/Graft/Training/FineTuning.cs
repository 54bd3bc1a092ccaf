using System.Diagnostics;
using System.Text.Json;
using Graft.Backbones;
using Graft.Data;
using Graft.Features;
using Graft.Imaging;
using Graft.Networks;
using Graft.Ranks;
using TorchSharp;

namespace Graft.Training;

/// <summary>A part of a training, before, while or after it runs.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Name">For a person: "head", "unfrozen".</param>
/// <param name="Plan">What is frozen and what trained.</param>
/// <param name="Options">How.</param>
public sealed record TrainingStage(int Number, string Name, FreezePlan Plan, StageOptions Options);

/// <summary>Where a fine-tuning gets what it needs, and whom it tells.</summary>
public sealed record FineTuningContext
{
    /// <summary>Where activations of frozen layers are looked up and kept; null to compute them.</summary>
    public FeatureCache? Cache { get; init; }

    /// <summary>The folder of checkpoints, from which training resumes where there are some; null for none.</summary>
    public string? Checkpoints { get; init; }

    /// <summary>What is made small in every stage; null for cross-entropy, see <see cref="CrossEntropy"/>.</summary>
    public IObjective? Objective { get; init; }

    /// <summary>What is learned from beside the training photos: of another source, or without labels, which a class of -1 says.</summary>
    internal IReadOnlyList<LabeledImage> More { get; init; } = [];

    /// <summary>Whose answers are learned beside the labels; null for none.</summary>
    internal ITeacher? Teacher { get; init; }

    /// <summary>What tells photos of two sources whose features are to be alike; null for one source.</summary>
    internal DomainAlignment? Domains { get; init; }

    /// <summary>Features that were computed before; null where training computes what frozen layers make of the photos.</summary>
    internal ExtractedFeatures? Extracted { get; init; }

    /// <summary>Of the photos that were read before; those that are read now are added.</summary>
    internal PhotoHashes Hashes { get; init; } = new();

    /// <summary>The processes that train together, see <see cref="Trainer"/>; null for this one alone.</summary>
    public ICollective? Ranks { get; init; }

    public IProgress<StepProgress>? Progress { get; init; }

    /// <summary>Told, in a sentence, what goes wrong without stopping the work.</summary>
    public Action<string>? Warn { get; init; }

    /// <summary>Called as each stage begins; gives the callbacks of its training.</summary>
    public Func<TrainingStage, IReadOnlyList<ITrainingCallback>>? OnStage { get; init; }
}

/// <summary>The features of the training and validation images at a layer, for a training that starts there.</summary>
/// <param name="Layer">The layer whose output they are.</param>
/// <param name="Training">With their views, if there are any.</param>
internal sealed record ExtractedFeatures(string Layer, FeatureSet Training, FeatureSet Validation);

/// <summary>A trained network: its description, its weights, and how it came to be.</summary>
/// <param name="Network">From the image to one output per class.</param>
/// <param name="Weights">Trained ones copied; those of frozen layers still come from the backbone.</param>
/// <param name="Boundary">The last layer that is as it was before the training; the image if none is.</param>
/// <param name="Photos">The images as they were used: without those that could not be read.</param>
/// <param name="Histories">Of each stage.</param>
/// <param name="CacheHits">Images whose activations came from the cache.</param>
/// <param name="CacheMisses">Images whose activations were computed to be kept.</param>
/// <param name="FeatureSeconds">What opening photos and computing activations of frozen layers took.</param>
public sealed record FineTunedNetwork(
    Network Network, IWeights Weights, string Boundary, LabeledImages Photos, IReadOnlyList<(TrainingStage Stage, TrainingHistory History)> Histories,
    int CacheHits, int CacheMisses, double FeatureSeconds)
{
    /// <summary>What it has learned from beside the training photos.</summary>
    internal IReadOnlyList<LabeledImage> More { get; init; } = [];
}

/// <summary>Training into a pretrained network, by one of the strategies.</summary>
public static class FineTuning
{
    /// <summary>The stages of a training and what each freezes, as they can be shown before it begins.</summary>
    /// <exception cref="GraftException">Unsuitable options, or a layer that does not exist.</exception>
    public static IReadOnlyList<TrainingStage> Stages(GraftedNetwork model, FineTuningOptions options)
    {
        if (options.Problems() is { Count: > 0 } problems) throw new GraftException(string.Join(" ", problems));
        var stages = new List<TrainingStage>();
        if (options.HeadStage is { } head) stages.Add(new(1, "head", model.Freeze(), head));
        if (options.UnfrozenStage is { } unfrozen)
            stages.Add(new(stages.Count + 1, options.Strategy == Strategy.FineTune ? "unfrozen" : LowerCase.Policy.ConvertName(options.Strategy.ToString()), Unfreeze(model, options), unfrozen));
        return stages;
    }

    /// <param name="model">A pretrained network with a new head. Stays the caller's.</param>
    /// <param name="photos">Broken ones are left out and listed.</param>
    /// <param name="context">Null for no cache, no checkpoints and no reports.</param>
    /// <exception cref="GraftException">Unsuitable options, nothing left to train on, or training diverged.</exception>
    /// <exception cref="OperationCanceledException">Checkpoints and cached activations are kept.</exception>
    public static FineTunedNetwork Train(
        GraftedNetwork model, LabeledImages photos, FineTuningOptions options, FineTuningContext? context = null,
        CancellationToken cancellation = default)
    {
        context ??= new();
        var stages = Stages(model, options);
        var network = options.Strategy == Strategy.Scratch ? WithQuickStatistics(model.Network) : model.Network;
        IWeights weights = options.Strategy == Strategy.Scratch ? new RandomWeights(stages[0].Options.Training.Seed) : model.Weights;
        var device = Resolve(options.Device);
        var pretrained = model.Backbone.Network.Layers.Select(layer => layer.Name).ToHashSet(StringComparer.Ordinal);
        var source = new ExampleSource(model, photos, options, context, cancellation);
        if (context.Ranks is { Size: > 1 } ranks) RankedExtraction.Hash([.. photos.Train, .. photos.Validation], context.Hashes, ranks, cancellation);
        if (stages.Any(source.NeedsPhotos)) source.OpenPhotos();

        var histories = new List<(TrainingStage, TrainingHistory)>();
        var boundaries = new List<string>();
        foreach (var stage in stages)
        {
            var plan = stage.Plan;
            var boundary = plan.Boundary();
            boundaries.Add(boundary);
            var rest = boundary == network.Layers[0].Name ? network : network.StartAfter(boundary);
            using var module = new TorchNetwork(rest, weights, device);
            plan.For(rest).ApplyTo(module);
            var (training, validation) = source.Examples(stage, boundary, weights);
            using (training as IDisposable)
            using (validation as IDisposable)
            {
                // A head's matrices are too small to share among cores: waiting for each other would cost more than it saves.
                using var threads = rest.InputShape.IsVector ? new TorchThreads(1) : null;
                var checkpoint = context.Checkpoints is null
                    ? null
                    : new TrainingCheckpoint(Path.Combine(context.Checkpoints, $"stage-{stage.Number}-{stage.Name}.safetensors"), source.Fingerprint())
                    {
                        // Epochs on features take milliseconds: fewer than it takes to write them down.
                        Interval = context.Extracted is null ? TimeSpan.Zero : TimeSpan.FromSeconds(2),
                    };
                TrainingHistory Fit(ICollective? together) => Trainer.Fit(
                    module, training, validation, stage.Options.Training, context.OnStage?.Invoke(stage) ?? [], checkpoint,
                    usual => ObjectiveOf(model, options, context, boundary, usual), pretrained, together, cancellation);
                // A head on rows in memory takes seconds: less than it takes to exchange its gradients.
                var isSmall = rest.InputShape.IsVector && !training.TakesTime;
                histories.Add((stage, isSmall && context.Ranks is { Size: > 1 } all ? DataParallel.OnFirst(all, module, () => Fit(null)) : Fit(context.Ranks)));
            }
            weights = new CombinedWeights(
                new CopiedWeights(module), plan.Layers.Where(layer => rest.Layers.Skip(1).Any(other => other.Name == layer.Name))
                    .Select(layer => layer.Name).ToHashSet(StringComparer.Ordinal), weights);
        }
        var first = boundaries.MinBy(boundary => network.Layers.TakeWhile(layer => layer.Name != boundary).Count())!;
        return WithBothLogits(new(network, weights, first, source.Photos, histories, source.CacheHits, source.CacheMisses, source.Clock.Elapsed.TotalSeconds)
        {
            More = [.. source.Learned.Skip(source.Photos.Train.Count)],
        });
    }

    private static IObjective ObjectiveOf(GraftedNetwork model, FineTuningOptions options, FineTuningContext context, string boundary, IObjective usual)
    {
        var labels = context.Objective ?? usual;
        // Frozen features cannot come nearer to each other, or to the teacher's.
        var features = model.HeadInput is var layer && layer != boundary ? layer : null;
        if (context.Domains is { } domains) return new DeepCoral(domains.Weight, features, labels);
        return context.Teacher is null ? labels : new Distillation(options.Distillation, options.Distillation.NeedsFeatures ? features : null, labels);
    }

    /// <exception cref="GraftException">This machine, or the libtorch at hand, has no such device.</exception>
    internal static DeviceType Resolve(ComputeDevice device)
    {
        var (cuda, mps) = (torch.cuda.is_available(), OperatingSystem.IsMacOS() && torch.mps_is_available());
        return device switch
        {
            ComputeDevice.Auto => cuda ? DeviceType.CUDA : mps ? DeviceType.MPS : DeviceType.CPU,
            ComputeDevice.Cpu => DeviceType.CPU,
            ComputeDevice.Cuda when cuda => DeviceType.CUDA,
            ComputeDevice.Mps when mps => DeviceType.MPS,
            _ => throw new GraftException(
                $"There is no device '{device.ToString().ToLowerInvariant()}' for the libtorch that Graft was built with. Take the device 'cpu', "
                + "or build Graft with a libtorch for it."),
        };
    }

    private static FreezePlan Unfreeze(GraftedNetwork model, FineTuningOptions options)
    {
        var plan = model.Freeze();
        var from = options.UnfreezeFrom ?? (options is { Strategy: Strategy.Partial, Freeze: null } ? UpperThird(model.Network) : null);
        plan = from is null ? plan.Unfreeze("*") : plan.UnfreezeFrom(from);
        if (options.Freeze is { } frozen) plan = plan.Freeze(frozen);
        plan = plan.WithTuned(options.Tune, string.Join(',', model.Backbone.Network.Layers.Select(layer => layer.Name)));
        var all = options.BatchNorm == BatchNormMode.Training || options.Strategy == Strategy.Scratch;
        return all ? plan.WithBatchNorm(BatchNormMode.Training) : plan;
    }

    private static string UpperThird(Network network)
    {
        for (var index = 2 * network.Layers.Count / 3; index < network.Layers.Count; index++)
        {
            var plan = FreezePlan.All(network).Unfreeze(index..);
            if (plan.Boundary() == network.Layers[index - 1].Name) return network.Layers[index].Name;
        }
        return network.Output.Name;
    }

    /// <summary>So few steps as a small set of photos gives need moving statistics that move fast.</summary>
    private static Network WithQuickStatistics(Network network) => new(network.Name, [.. network.Layers.Select(layer =>
        layer.Operation is BatchNorm norm ? layer with { Operation = norm with { Momentum = Math.Max(norm.Momentum, 0.1) } } : layer)]);

    /// <summary>The logit of the second class alone becomes two, the first of them 0, as every other model has them.</summary>
    private static FineTunedNetwork WithBothLogits(FineTunedNetwork trained)
    {
        var output = trained.Network.Output;
        return trained.Network.OutputShape.ElementCount == 1 && output.Operation is Dense dense
            ? trained with
            {
                Network = new(trained.Network.Name, [.. trained.Network.Layers.SkipLast(1), output with { Operation = dense with { Units = 2 } }]),
                Weights = new SecondLogitWeights(trained.Weights, output.Name),
            }
            : trained;
    }

    private sealed class SecondLogitWeights(IWeights weights, string layer) : IWeights
    {
        public IDisposable? Share() => weights.Share();

        public void Read(Parameter parameter, Span<float> destination)
        {
            if (parameter.Layer != layer)
            {
                weights.Read(parameter, destination);
                return;
            }
            var half = destination.Length / 2;
            destination[..half].Clear();
            weights.Read(parameter with { Shape = [1, .. parameter.Shape.Skip(1)] }, destination[half..]);
        }
    }

    /// <summary>What a stage trains on: photos, or what the frozen layers make of them, computed once or view by view.</summary>
    private sealed class ExampleSource(
        GraftedNetwork model, LabeledImages photos, FineTuningOptions options, FineTuningContext context, CancellationToken cancellation)
    {
        private OpenedPhotos? _opened;
        private string? _fingerprint;

        public LabeledImages Photos { get; private set; } = photos;

        public int CacheHits { get; private set; }

        public int CacheMisses { get; private set; }

        /// <summary>What is learned from, in order; without what could not be read.</summary>
        public IReadOnlyList<LabeledImage> Learned => context.More.Count == 0
            ? Photos.Train
            : [.. Photos.Train, .. context.More.ExceptBy(Photos.Skipped.Select(file => file.Path), image => image.Path)];

        /// <summary>Runs while photos are opened and activations computed.</summary>
        public Stopwatch Clock { get; } = new();

        public bool NeedsPhotos(TrainingStage stage) => context.Extracted is null &&
            (!CanKeep(stage.Plan.Boundary(), views: 1) || (!stage.Options.Augmentation.IsNone && BankOf(stage) is null));

        public void OpenPhotos()
        {
            Clock.Start();
            _opened = OpenedPhotos.Open(
                [.. Learned, .. Photos.Validation], model.Backbone.Preprocessing, options.KeptBytes, context.Ranks, context.Progress, cancellation);
            Clock.Stop();
            if (_opened.Broken.Count > 0) Photos = Photos.WithSkipped(_opened.Broken);
        }

        public (IExamples Training, IExamples Validation) Examples(TrainingStage stage, string boundary, IWeights weights)
        {
            var (training, validation) = Untaught(stage, boundary, weights);
            if (context.Domains is { } domains)
            {
                IReadOnlyList<float[]>[] targets = [.. Learned.Select(image => (float[][])[[domains.IsTarget(image) ? 1 : 0]])];
                return (new AnnotatedExamples(training, (example, _) => targets[example]), validation);
            }
            if (context.Teacher is not { } teacher) return (training, validation);
            Clock.Start();
            var shaping = stage.Options;
            var bank = shaping.Augmentation.IsNone ? null : new ViewBank(shaping.Augmentation, shaping.Views > 0 ? shaping.Views : shaping.Training.Epochs, shaping.Training.Seed);
            var answers = teacher.Answers(Learned, bank, options.Distillation.NeedsFeatures, context, cancellation);
            Clock.Stop();
            CacheHits += answers.CacheHits;
            CacheMisses += answers.CacheMisses;
            return (new AnnotatedExamples(training, answers.To), validation);
        }

        private (IExamples Training, IExamples Validation) Untaught(TrainingStage stage, string boundary, IWeights weights)
        {
            if (context.Extracted is { } extracted)
            {
                if (boundary != extracted.Layer) throw new InvalidOperationException($"Training starts at {boundary}, and its features are of {extracted.Layer}.");
                return (WithViews(extracted.Training), InMemory(extracted.Validation));
            }
            if (!CanKeep(boundary, views: 1)) return (Live(boundary, weights, stage, isTraining: true), Live(boundary, weights, stage, isTraining: false));
            var validation = InMemory(Activations(boundary, weights, Photos.Validation, bank: null));
            if (stage.Options.Augmentation.IsNone) return (InMemory(Activations(boundary, weights, Learned, bank: null)), validation);
            if (BankOf(stage) is not { } bank) return (Live(boundary, weights, stage, isTraining: true), validation);
            return (WithViews(Activations(boundary, weights, Learned, bank)), validation);
        }

        /// <summary>Which images are trained on, in order, with their content, so that another set's checkpoint is not taken for this one's.</summary>
        public string Fingerprint() => _fingerprint ??= (context.Domains is { } domains ? $"{domains.Weight}\n" : "") + (context.Teacher is { } teacher ? $"{teacher.Fingerprint} {JsonSerializer.Serialize(options.Distillation)}\n" : "") + string.Join('\n', Learned.Concat(Photos.Validation).Zip(
            context.Hashes.Of([.. Learned, .. Photos.Validation], cancellation), (image, hash) => $"{Path.GetFileName(image.Path)} {(hash is null ? "" : Convert.ToHexString(hash))}"));

        /// <summary>The views to compute once; null where each epoch has views of its own.</summary>
        private ViewBank? BankOf(TrainingStage stage) =>
            stage.Options.Views > 0 && !stage.Options.Augmentation.IsNone && CanKeep(stage.Plan.Boundary(), 1 + stage.Options.Views)
                ? new(stage.Options.Augmentation, stage.Options.Views, stage.Options.Training.Seed)
                : null;

        /// <summary>Whether the activations of all photos fit into the memory allowed; photos as they are do not count as such.</summary>
        private bool CanKeep(string boundary, int views) =>
            boundary != model.Network.Layers[0].Name
            && (long)model.Network.ShapeOf(boundary).ElementCount * sizeof(float) * views * (Learned.Count + Photos.Validation.Count) <= options.KeptBytes;

        private FeatureSet Activations(string boundary, IWeights weights, IReadOnlyList<LabeledImage> images, ViewBank? bank)
        {
            Clock.Start();
            using var frozen = Backbone.Of(model.Backbone.Name, model.Network.CutAfter(boundary), weights, model.Backbone.Preprocessing);
            using var extractor = new FeatureExtractor(frozen, context.Cache, context.Warn);
            var set = RankedExtraction.Extract(images, context.Ranks, share => extractor.Extract(share, bank, context.Hashes, context.Progress, cancellation));
            Clock.Stop();
            if (set.Broken.Count > 0) Photos = Photos.WithSkipped(set.Broken);
            CacheHits += set.CacheHits;
            CacheMisses += set.CacheMisses;
            return set;
        }

        private static IExamples WithViews(FeatureSet set) =>
            set.Views.Count == 0 ? InMemory(set) : new ViewsInMemory(set.Rows, set.Views, [.. set.Images.Select(image => image.Class)]);

        private static ExamplesInMemory InMemory(FeatureSet set) => new(set.Rows, [.. set.Images.Select(image => image.Class)]);

        private IExamples Live(string boundary, IWeights weights, TrainingStage stage, bool isTraining)
        {
            if (_opened is null) OpenPhotos();
            // Validation images follow those that are learned from.
            var learned = Learned.Count;
            var numbers = isTraining ? Enumerable.Range(0, learned) : Enumerable.Range(learned, Photos.Validation.Count);
            var examples = new PhotoExamples(
                _opened!, [.. numbers], isTraining ? stage.Options.Augmentation : Augmentation.None, stage.Options.Training.Seed, stage.Options.Views);
            return boundary == model.Network.Layers[0].Name ? examples : new FrozenExamples(examples, model.Network.CutAfter(boundary), weights);
        }
    }
}
