using Graft.Training;

namespace Graft.Runs;

/// <summary>The headings that settings stand under in help, on a form and in the docs.</summary>
public enum SettingGroup
{
    Photos,
    Network,
    Method,
    Training,
    Unfreezing,
    Augmentation,
    Machine,
}

/// <summary>The ways to train that a setting has an effect on: a <see cref="Strategy"/>, of <see cref="Strategy.Features"/> with what is fitted.</summary>
[Flags]
public enum Ways
{
    /// <summary>Features, and on them a classic classifier.</summary>
    Classifier = 1,

    /// <summary>Features, and on them a head trained in epochs.</summary>
    Softmax = 2,

    Features = Classifier | Softmax,
    Head = 4,
    FineTune = 8,
    Partial = 16,
    Full = 32,
    Scratch = 64,

    /// <summary>From pretrained weights into the network.</summary>
    Pretrained = FineTune | Partial | Full,

    /// <summary>Layers of the network itself are trained.</summary>
    Unfrozen = Pretrained | Scratch,

    /// <summary>The network takes part, if only frozen.</summary>
    Staged = Head | Unfrozen,

    /// <summary>Anything that is trained in epochs.</summary>
    Epochs = Softmax | Staged,

    All = Classifier | Epochs,
}

/// <summary>
/// What a property of <see cref="TrainingRequest"/> is called and says, declared once: the command's options and help, the JSON schema and forms are
/// made of it. Its range is a <see cref="System.ComponentModel.DataAnnotations.RangeAttribute"/> beside it, or on the property of the options that
/// it sets.
/// </summary>
/// <param name="description">What it does, in a sentence without a full stop; its default where there is one.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class SettingAttribute(SettingGroup group, string description) : Attribute
{
    public SettingGroup Group => group;

    public string Description => description;

    /// <summary>What stands for its value in help: <c>RATE</c>. Default: <c>NAME</c>.</summary>
    public string Placeholder { get; init; } = "NAME";

    /// <summary>The ways to train that take it. Default all.</summary>
    public Ways For { get; init; } = Ways.All;

    /// <summary>Whether it is one of the dozen that a person needs first.</summary>
    public bool IsBasic { get; init; }

    /// <summary>The option's name, where it is not the property's: <c>--C</c>.</summary>
    public string? Option { get; init; }

    /// <summary>Other names of the option, with a blank between them.</summary>
    public string Aliases { get; init; } = "";

    /// <summary>The options record whose property of the same name, or of <see cref="OfProperty"/>, declares the range.</summary>
    public Type? Of { get; init; }

    public string? OfProperty { get; init; }

    /// <summary>Whether the option says that it is not so: <c>--no-standardize</c>.</summary>
    public bool IsNegative { get; init; }
}
