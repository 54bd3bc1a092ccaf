using Graft.Backbones;
using Graft.Data;
using Graft.Features;
using Graft.Ranks;

namespace Graft.Selection;

/// <summary>What trials work with beside their request.</summary>
public sealed record TrialContext
{
    /// <summary>Where features are looked up and kept; null to compute them.</summary>
    public FeatureCache? Cache { get; init; }

    /// <summary>Of the photos, so that each is hashed once for all networks.</summary>
    internal PhotoHashes Hashes { get; } = new();

    /// <summary>Where each trial is kept as it ends, and found again by a second start; null to write nothing.</summary>
    public TrialFolder? Folder { get; init; }

    /// <summary>Gets a network's published weights where they are not here yet; null to fail instead.</summary>
    public Action<BackboneDefinition>? Fetch { get; init; }

    /// <summary>
    /// Processes that each try a part of the networks; only rank 0 has a folder, joins networks and measures the curve. Null for this one alone.
    /// </summary>
    public ICollective? Ranks { get; init; }

    public IProgress<StepProgress>? Progress { get; init; }

    /// <summary>Told, in a sentence, what goes wrong without stopping the work.</summary>
    public Action<string>? Warn { get; init; }

    /// <summary>When to stop trying; null for no limit. What is not finished then is left out, and its features so far are kept.</summary>
    public TimeSpan? Limit { get; init; }
}
