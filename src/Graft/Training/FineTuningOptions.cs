using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using Graft.Imaging;
using Graft.Networks;

namespace Graft.Training;

/// <summary>One part of a training: how, on which views.</summary>
public sealed record StageOptions
{
    public TrainingOptions Training { get; init; } = new();

    /// <summary>
    /// How training photos are varied. Where they are not, what the frozen layers make of each is computed once and taken from the feature
    /// cache. Default not at all.
    /// </summary>
    public Augmentation Augmentation { get; init; } = Augmentation.None;

    /// <summary>
    /// How many views of each photo there are, for epochs to take in turn; what frozen layers or a teacher make of each is computed once and kept. 0 for a
    /// new view in each epoch. Without effect where photos are not varied. Default 0.
    /// </summary>
    [Range(0, 1000)]
    public int Views { get; init; }

    /// <summary>What is wrong with these options, a sentence each; empty if nothing is.</summary>
    public IReadOnlyList<string> Problems() => [.. DeclaredRanges.ProblemsOf(this), .. Training.Problems(), .. Augmentation.Problems()];
}

/// <summary>A recipe, to be changed in every part: <c>FineTuningOptions.For(Strategy.FineTune) with { UnfreezeFrom = "features.14" }</c>.</summary>
public sealed record FineTuningOptions
{
    public Strategy Strategy { get; init; } = Strategy.FineTune;

    /// <summary>The new classification head. Default: batch norm and softmax.</summary>
    public Head Head { get; init; } = Head.Softmax;

    /// <summary>The training of the head alone; null where the strategy has none.</summary>
    public StageOptions? HeadStage { get; init; }

    /// <summary>The training of the unfrozen layers and the head; null where the strategy has none.</summary>
    public StageOptions? UnfrozenStage { get; init; }

    /// <summary>
    /// The layer (or a block's first) from which the network is unfrozen. Default: the first, so that all of it is; for
    /// <see cref="Strategy.Partial"/> the first after two thirds of the layers before which the network can be cut in two.
    /// </summary>
    public string? UnfreezeFrom { get; init; }

    /// <summary>Layers that stay frozen, as <see cref="FreezePlan"/> names them: <c>0..172</c>, <c>features.1*</c>.</summary>
    public string? Freeze { get; init; }

    /// <summary>Which weights of unfrozen pretrained layers learn; those of the head all do. Default all.</summary>
    public TunedWeights Tune { get; init; }

    /// <summary>
    /// How batch norms of unfrozen pretrained layers run. Default inference mode; from scratch always <see cref="BatchNormMode.Training"/>.
    /// </summary>
    public BatchNormMode BatchNorm { get; init; }

    /// <summary>How the network learns from a teacher, where there is one.</summary>
    public DistillationOptions Distillation { get; init; } = new();

    /// <summary>Where it is computed. Default <see cref="ComputeDevice.Auto"/>.</summary>
    public ComputeDevice Device { get; init; }

    /// <summary>How much memory decoded photos, or activations of frozen layers, may take, in bytes. Default 1 GiB.</summary>
    public long KeptBytes { get; init; } = 1L << 30;

    /// <summary>A strategy with its documented defaults.</summary>
    public static FineTuningOptions For(Strategy strategy) => strategy switch
    {
        Strategy.Features => new() { Strategy = strategy, HeadStage = new() },
        Strategy.Head => new() { Strategy = strategy, HeadStage = new() { Training = HeadDefaults, Augmentation = Augmentation.Light, Views = 8 } },
        Strategy.FineTune => new()
        {
            Strategy = strategy,
            HeadStage = new() { Training = HeadDefaults },
            UnfrozenStage = Unfrozen(learningRate: 1e-4, epochs: 8),
        },
        Strategy.Partial => new() { Strategy = strategy, UnfrozenStage = Unfrozen(learningRate: 3e-4, epochs: 12) with { Augmentation = Augmentation.None } },
        Strategy.Full => new() { Strategy = strategy, UnfrozenStage = Unfrozen(learningRate: 3e-4, epochs: 8) },
        Strategy.Scratch => new() { Strategy = strategy, UnfrozenStage = Unfrozen(learningRate: 2e-3, epochs: 30), BatchNorm = BatchNormMode.Training },
        _ => throw new ArgumentOutOfRangeException(nameof(strategy), strategy, null),
    };

    /// <summary>What is wrong with these options, a sentence each; empty if nothing is.</summary>
    public IReadOnlyList<string> Problems()
    {
        var problems = new List<string>(Head.Problems());
        if (HeadStage is null && UnfrozenStage is null) problems.Add("Expected a stage to train, found none.");
        problems.AddRange(HeadStage?.Problems() ?? []);
        problems.AddRange(UnfrozenStage?.Problems() ?? []);
        problems.AddRange(Distillation.Problems());
        if (Tune != TunedWeights.All && Strategy == Strategy.Scratch) problems.Add("Random weights must all learn: choose none to tune.");
        if (UnfrozenStage is null && (UnfreezeFrom ?? Freeze) is not null)
            problems.Add($"The strategy '{Strategy.ToString().ToLowerInvariant()}' unfreezes nothing: leave out what to freeze and unfreeze, or take 'finetune' or 'partial'.");
        return problems;
    }

    private static TrainingOptions HeadDefaults { get; } = new() { Epochs = 30 };

    private static StageOptions Unfrozen(double learningRate, int epochs) => new()
    {
        Training = new()
        {
            Optimizer = OptimizerKind.AdamW,
            LearningRate = learningRate,
            WeightDecay = 0.01,
            Schedule = new LearningRateSchedule.Cosine(),
            WarmUpEpochs = 0.5,
            Epochs = epochs,
            Patience = 0,
        },
        Augmentation = Augmentation.Light,
    };
}

/// <summary>Where libtorch computes.</summary>
[JsonConverter(typeof(LowerCaseEnumConverter<ComputeDevice>))]
public enum ComputeDevice
{
    /// <summary>A CUDA device if there is one, else Apple's, else the CPU.</summary>
    Auto,
    Cpu,
    Cuda,

    /// <summary>Apple's graphics processor.</summary>
    Mps,
}
