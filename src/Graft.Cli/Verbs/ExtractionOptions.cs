using System.CommandLine;
using Graft.Features;
using Graft.Networks;
using Graft.Runs;

namespace Graft.Cli.Verbs;

/// <summary>The options that say how features are computed, for verbs that compute them without training.</summary>
internal sealed class ExtractionOptions(BackboneOptions networks)
{
    private readonly Option<string> _pool = new("--pool")
    {
        HelpName = "HOW",
        DefaultValueFactory = _ => "avg",
    };

    private readonly Option<InferenceEngine> _engine = new("--engine")
    {
        Description = Setting.Named(nameof(TrainingRequest.Engine)).Declared.Description,
        HelpName = "NAME",
        DefaultValueFactory = _ => InferenceEngine.Onnx,
    };

    /// <param name="poolings">Of <see cref="BackboneRequests.PoolingNames"/>.</param>
    public void AddTo(Command command, IReadOnlyList<string> poolings)
    {
        _pool.Description = $"How a layer's map becomes features: avg (one number per channel), {string.Join(", ", poolings.Skip(1).SkipLast(1))} or {poolings[^1]}";
        _pool.AcceptOnlyFromAmong([.. poolings]);
        command.Add(_pool);
        command.Add(_engine);
    }

    public InferenceEngine Engine(ParseResult parsed) => parsed.GetValue(_engine);

    /// <summary>The option of these, or of the networks', that is on the command line; null if none is.</summary>
    public string? FirstGiven(ParseResult parsed) =>
        networks.FirstGiven(parsed) ?? ((Option[])[_pool, _engine]).FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false })?.Name;

    /// <summary>The networks that the command line names, or the default one, cut to their features.</summary>
    public FeatureBlocks Load(ParseResult parsed, CancellationToken cancellation)
    {
        // What contradicts in it is what contradicts in a request to train on these features.
        var request = new TrainingRequest { Backbones = networks.Requests(parsed), Engine = parsed.GetResult(_engine) is { Implicit: false } ? Engine(parsed) : null };
        if (request.Problems() is { Count: > 0 } problems) throw new RequestException(problems);
        return (request.Backbones ?? [new BackboneRequest()]).LoadFeatures(parsed.GetRequiredValue(_pool), BackboneOptions.Fetch(cancellation));
    }
}
