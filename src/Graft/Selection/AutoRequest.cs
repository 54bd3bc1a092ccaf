using System.ComponentModel.DataAnnotations;

namespace Graft.Selection;

/// <summary>Photos and time: from these, an automatic run decides everything else.</summary>
public sealed record AutoRequest
{
    /// <summary>As <see cref="Runs.TrainingRequest.Photos"/>.</summary>
    public required string Photos { get; init; }

    /// <summary>Of all processes that worked on the run. Above 0; default 10.</summary>
    [Range(0.0, 100_000.0, MinimumIsExclusive = true)]
    public double Minutes { get; init; } = 10;

    /// <summary>As <see cref="TrialRequest.Backbones"/>.</summary>
    public IReadOnlyList<string>? Backbones { get; init; }

    /// <summary>With fewer training photos of a class, layers of the network are left as they are. At least 1; default <see cref="Advice.FewestToTrain"/>.</summary>
    [Range(1, int.MaxValue)]
    public int FewestToTrain { get; init; } = Advice.FewestToTrain;

    /// <summary>Decides splits, folds and training. Default 1.</summary>
    public int Seed { get; init; } = 1;

    internal TrialRequest Trials => new() { Photos = Photos, Backbones = Backbones, Seed = Seed };

    /// <summary>What is wrong with the request, a sentence each; empty if nothing is. Files are not looked at.</summary>
    public IReadOnlyList<string> Problems() => [.. DeclaredRanges.ProblemsOf(this), .. Trials.Problems()];
}
