using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Graft.Classifiers;
using Graft.Features;
using Graft.Imaging;
using Graft.Networks;
using Graft.Training;
using Graft.Transfer;
using Graft.Unlabeled;

namespace Graft.Runs;

/// <summary>What a run does beyond photos and network, with every default filled in.</summary>
public sealed record TrainingPlan
{
    /// <summary>Strategy, head, stages. Of a classic classifier only the seed and the views count.</summary>
    public FineTuningOptions Options { get; init; } = FineTuningOptions.For(Strategy.Features);

    /// <summary>How the head of <see cref="Strategy.FineTune"/> is trained first. Default in epochs.</summary>
    public HeadStart HeadStart { get; init; }

    /// <summary>A classic classifier to fit on the features; null to train a head, or the network, in epochs.</summary>
    public FeatureClassifier? Classifier { get; init; }

    /// <summary>How photos of another source help the classic classifier; null without them.</summary>
    public TransferMethod? Transfer { get; init; }

    /// <summary>
    /// How much it counts that photos of both sources look alike to a network that is trained on them, at least 0: the weight of Deep CORAL's term in the loss. Default 1; 0 pools
    /// both sources.
    /// </summary>
    [Range(0, double.PositiveInfinity, MaximumIsExclusive = true)]
    public double CoralWeight { get; init; } = 1;

    /// <summary>Whether a classic classifier, once measured, is fitted again on the training and validation images together.</summary>
    public bool Refit { get; init; }

    /// <summary>How a classic classifier also learns from the photos that have no labels; null where these are left alone.</summary>
    public PseudoLabeling? PseudoLabeling { get; init; }

    /// <summary>The share of photos like the training photos that may be called unlike them; 0 to tell no photo so. Default 0.02.</summary>
    [Range(0.0, 1.0, MaximumIsExclusive = true)]
    public double Refuse { get; init; } = Novelty.DefaultRefuse;

    /// <summary>What computes the features. Default ONNX Runtime.</summary>
    public InferenceEngine Engine { get; init; } = InferenceEngine.Onnx;

    /// <summary>Threads that libtorch trains with; null for one per core.</summary>
    public int? Threads { get; init; }

    /// <summary>A plan of <see cref="Strategy.Features"/>.</summary>
    /// <param name="training">Of the head. Null for its defaults.</param>
    /// <param name="head">Null for a softmax head.</param>
    /// <param name="classifier">A classic classifier in the place of a head.</param>
    /// <param name="views">Augmented views to train on; null for the photos as they are.</param>
    public static TrainingPlan OnFeatures(
        TrainingOptions? training = null, Head? head = null, FeatureClassifier? classifier = null, ViewBank? views = null) => new()
        {
            Options = FineTuningOptions.For(Strategy.Features) with
            {
                Head = head ?? Head.Softmax,
                HeadStage = new() { Training = training ?? new(), Augmentation = views?.Augmentation ?? Augmentation.None, Views = views?.Views ?? 0 },
            },
            Classifier = classifier,
        };

    internal StageOptions LastStage => Options.UnfrozenStage ?? Options.HeadStage!;

    internal int Seed => LastStage.Training.Seed;

    /// <summary>The augmented views of each training photo whose features are computed; null for the photos as they are.</summary>
    internal ViewBank? Views => LastStage is { Views: > 0 } stage ? new(stage.Augmentation, stage.Views, Seed) : null;

    /// <summary>What is wrong with it, a sentence each; empty if nothing is.</summary>
    public IReadOnlyList<string> Problems() =>
        [
            .. DeclaredRanges.ProblemsOf(this), .. Options.Problems(), .. Classifier?.Problems() ?? [], .. Transfer?.Problems() ?? [],
            .. Options.Strategy == Strategy.Features ? Views?.Problems() ?? [] : [],
        ];
}

/// <summary>How a new head is trained before the network below it is.</summary>
[JsonConverter(typeof(LowerCaseEnumConverter<HeadStart>))]
public enum HeadStart
{
    /// <summary>By gradient, as <see cref="FineTuningOptions.HeadStage"/> says.</summary>
    Epochs,

    /// <summary>
    /// Logistic regression on the features, to its one optimum, with C by cross-validation: the linear probing of LP-FT (Kumar et al. 2022, arXiv:2202.10054).
    /// </summary>
    Optimum,
}

/// <summary>Makes a plan of a request.</summary>
internal static class RequestPlan
{
    private static readonly Dictionary<string, Head> Heads = new(StringComparer.Ordinal)
    {
        ["softmax"] = Head.Softmax,
        ["dense"] = Head.Dense(1024, dropout: 0.5),
        ["fc"] = Head.FullyConnected,
        ["binary"] = new() { OneLogit = true, BatchNorm = false, Dropout = 0.2 },
    };

    private static readonly Dictionary<string, LearningRateSchedule> Schedules = new(StringComparer.Ordinal)
    {
        ["constant"] = new LearningRateSchedule.Constant(),
        ["cosine"] = new LearningRateSchedule.Cosine(),
        ["one-cycle"] = new LearningRateSchedule.OneCycle(),
        ["step"] = new LearningRateSchedule.Stepwise(),
        ["plateau"] = new LearningRateSchedule.ReduceOnPlateau(Patience: 3),
    };

    /// <param name="request">Without problems.</param>
    public static TrainingPlan Of(TrainingRequest request)
    {
        var options = FineTuningOptions.For(request.StrategyOrDefault);
        var (first, second) = (options.HeadStage, options.UnfrozenStage);
        var hasTwo = first is not null && second is not null;
        // Of two stages, the first trains the head as a head is trained, on photos as they are; what shapes the training is meant for the second.
        first = first is null ? null : first with { Training = Rates(Common(first.Training, request), request.Epochs, request.LearningRate) };
        // So few weights move further.
        if (second is not null && (request.Tune ?? TunedWeights.All) != TunedWeights.All) second = second with { Training = second.Training with { LearningRate = 10 * second.Training.LearningRate } };
        second = second is null ? null : second with
        {
            Training = Rates(Common(second.Training, request), hasTwo ? request.Stage2Epochs : request.Epochs, hasTwo ? request.Stage2LearningRate : request.LearningRate),
        };
        if (second is null) first = Shaped(first!, request);
        else second = Shaped(second, request);
        options = options with
        {
            HeadStage = request.HeadStart == HeadStart.Optimum ? null : first,
            UnfrozenStage = second,
            Head = HeadOf(request),
            UnfreezeFrom = request.UnfreezeFrom,
            Freeze = request.Freeze,
            Tune = request.Tune ?? options.Tune,
            BatchNorm = request.BatchNorm ?? options.BatchNorm,
            Distillation = new()
            {
                Terms = request.DistillOrDefault ?? DistillationTerms.Logits,
                Temperature = request.DistillTemperature ?? options.Distillation.Temperature,
                TeacherShare = request.TeacherShare ?? options.Distillation.TeacherShare,
            },
            Device = request.Device ?? options.Device,
        };
        return new()
        {
            Options = options,
            HeadStart = request.HeadStart ?? HeadStart.Epochs,
            Classifier = RequestedClassifier.Of(request),
            Transfer = request.TransferOrDefault,
            CoralWeight = request.CoralWeight ?? new TrainingPlan().CoralWeight,
            Refit = request.Refit ?? false,
            PseudoLabeling = request.PseudoLabelingOrDefault,
            Refuse = request.Refuse ?? Novelty.DefaultRefuse,
            Engine = request.Engine ?? InferenceEngine.Onnx,
            Threads = request.Threads,
        };
    }

    /// <param name="usual">Where no preset is named.</param>
    public static Augmentation AugmentationOf(TrainingRequest request, Augmentation usual)
    {
        var preset = request.Augment is { } name ? Augmentation.Named(name) ?? usual : usual;
        return preset with
        {
            HorizontalFlip = request.Flip ?? preset.HorizontalFlip,
            VerticalFlip = request.VerticalFlip ?? preset.VerticalFlip,
            RotationDegrees = request.Rotation ?? preset.RotationDegrees,
            Shift = request.Shift ?? preset.Shift,
            Zoom = request.Zoom ?? preset.Zoom,
            SmallestCrop = request.Crop ?? preset.SmallestCrop,
            Brightness = request.Brightness ?? preset.Brightness,
            Contrast = request.Contrast ?? preset.Contrast,
            Color = request.Color ?? preset.Color,
            Cutout = request.Cutout ?? preset.Cutout,
            Fill = request.Fill ?? preset.Fill,
        };
    }

    private static TrainingOptions Common(TrainingOptions training, TrainingRequest request) => training with
    {
        BatchSize = request.BatchSize ?? training.BatchSize,
        Seed = request.SeedOrDefault,
        LabelSmoothing = request.LabelSmoothing ?? training.LabelSmoothing,
        ClassWeights = request.ClassWeights ?? training.ClassWeights,
    };

    private static TrainingOptions Rates(TrainingOptions training, int? epochs, double? learningRate) =>
        training with { Epochs = epochs ?? training.Epochs, LearningRate = learningRate ?? training.LearningRate };

    private static StageOptions Shaped(StageOptions stage, TrainingRequest request)
    {
        var training = stage.Training;
        // Views of cached features are made only where they are asked for.
        var usual = request is { StrategyOrDefault: Strategy.Features, Views: not null } ? Augmentation.Light : stage.Augmentation;
        return stage with
        {
            Augmentation = AugmentationOf(request, usual),
            Views = request.Views ?? stage.Views,
            Training = training with
            {
                Optimizer = request.Optimizer ?? training.Optimizer,
                Momentum = request.Momentum ?? training.Momentum,
                Nesterov = request.Nesterov ?? training.Nesterov,
                WeightDecay = request.WeightDecay ?? training.WeightDecay,
                Patience = request.Patience ?? training.Patience,
                Schedule = request.Schedule is { } name ? Schedules[name] : training.Schedule,
                WarmUpEpochs = request.WarmUp ?? training.WarmUpEpochs,
                LayerwiseLearningRateDecay = request.LayerwiseLearningRateDecay ?? training.LayerwiseLearningRateDecay,
                L2Sp = request.L2Sp ?? training.L2Sp,
                Mixing = request.Mix ?? training.Mixing,
                MixingAlpha = request.Mix == BatchMixing.CutMix ? 1 : training.MixingAlpha,
                GradientClip = request.Clip ?? training.GradientClip,
                EmaDecay = request.EmaDecay ?? training.EmaDecay,
            },
        };
    }

    private static Head HeadOf(TrainingRequest request)
    {
        var head = Heads[request.Head ?? "softmax"];
        return head with
        {
            HiddenUnits = request.Hidden is { Count: > 0 } hidden ? hidden : head.HiddenUnits,
            Dropout = request.Dropout ?? head.Dropout,
            BatchNorm = head.BatchNorm && (request.Standardize ?? true),
            Pooling = request.Pool is { } pool ? BackboneRequests.PoolingOf(pool) : head.Pooling,
        };
    }
}
