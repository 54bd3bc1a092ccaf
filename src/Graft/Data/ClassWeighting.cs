using System.Text.Json.Serialization;

namespace Graft.Data;

/// <summary>What is done about classes of unequal size.</summary>
[JsonConverter(typeof(LowerCaseEnumConverter<ClassWeighting>))]
public enum ClassWeighting
{
    /// <summary>Every image counts the same.</summary>
    None,

    /// <summary>
    /// Every class counts the same: an image counts images / (classes · images of its class), scikit-learn's <c>class_weight="balanced"</c>.
    /// </summary>
    Balanced,

    /// <summary>Images of rare classes are drawn more often, so that an epoch has as many of each class. For training in epochs only.</summary>
    Sampling,
}
