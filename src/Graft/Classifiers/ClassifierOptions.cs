using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Graft.Data;

namespace Graft.Classifiers;

/// <summary>
/// The options of all classifiers in one record, to ask for a classifier by name: <see cref="ClassifierCatalog.Create"/>. Each classifier takes
/// some of them.
/// </summary>
public sealed record ClassifierOptions
{
    /// <summary>Inverse regularization strength: the smaller, the stronger the regularization. Default 1; null to choose it by cross-validation.</summary>
    [Range(0.0, double.MaxValue, MinimumIsExclusive = true)]
    [Description("Inverse regularization strength; auto chooses it by cross-validation")]
    public double? C { get; init; } = 1;

    /// <summary>The γ of the Gaussian kernel. Default null: 1 / (features · the variance of all features' values).</summary>
    [Range(0.0, double.MaxValue, MinimumIsExclusive = true)]
    [Description("Gamma of the Gaussian kernel (default: by the variance of the features)")]
    public double? Gamma { get; init; }

    /// <summary>How many training images vote. Default 5.</summary>
    [Range(1, int.MaxValue)]
    [Description("Number of nearest neighbors that vote")]
    public int Neighbors { get; init; } = 5;

    /// <summary>Default none.</summary>
    [Description("balanced: every class counts the same, however many images it has")]
    public ClassWeighting ClassWeights { get; init; }

    /// <summary>How far the covariance of the features is moved towards a multiple of the identity. Default null: by leave-one-out.</summary>
    [Range(0.0, 1.0)]
    [Description("Shrinkage of the covariance, 0 to 1 (default: chosen by leave-one-out)")]
    public double? Shrinkage { get; init; }

    /// <summary>Whether features are standardized first. Default null: as the classifier does by default.</summary>
    [Description("Standardize features first")]
    public bool? Standardize { get; init; }

    /// <summary>Whether probabilities are calibrated by cross-validation. Default true.</summary>
    [Description("Calibrate probabilities by cross-validation")]
    public bool Calibrate { get; init; } = true;

    private static readonly ClassifierOptions Default = new();

    [DynamicDependency(DynamicallyAccessedMemberTypes.PublicProperties, typeof(ClassifierOptions))]
    private static readonly PropertyInfo[] Properties = typeof(ClassifierOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance);

    /// <summary>Names of the options that differ from their default.</summary>
    public IEnumerable<string> Given() =>
        Properties.Where(property => !Equals(property.GetValue(this), property.GetValue(Default))).Select(property => property.Name);

    /// <summary>What is out of its range, a sentence each; empty if nothing is.</summary>
    public IReadOnlyList<string> Problems() => DeclaredRanges.ProblemsOf(this);
}
