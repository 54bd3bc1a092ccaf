using System.Text.Json.Serialization;

namespace Graft.Training;

/// <summary>What is trained: a classifier on frozen features, a head, or the pretrained network too.</summary>
[JsonConverter(typeof(LowerCaseEnumConverter<Strategy>))]
public enum Strategy
{
    /// <summary>The pretrained layers frozen, their features computed once and cached, a classifier or head trained on them.</summary>
    Features,

    /// <summary>The pretrained layers frozen, a new head trained on augmented photos.</summary>
    Head,

    /// <summary>First the head alone; then, with a small learning rate, the pretrained layers from one on too, or all.</summary>
    FineTune,

    /// <summary>The lower layers frozen, the upper ones and the head trained together.</summary>
    Partial,

    /// <summary>Pretrained weights as the initial values of a network all of which is trained.</summary>
    Full,

    /// <summary>Random weights as the initial values: no transfer, for comparison.</summary>
    Scratch,
}
