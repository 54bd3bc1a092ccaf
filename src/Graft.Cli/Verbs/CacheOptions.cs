using System.CommandLine;
using Graft.Features;
using Graft.Runs;

namespace Graft.Cli.Verbs;

/// <summary>The options that say whether and how features are kept.</summary>
internal sealed class CacheOptions
{
    private readonly Option<bool> _noCache = new("--no-cache") { Description = "Neither use nor fill the feature cache" };

    private readonly Option<string> _precision = new("--cache-precision")
    {
        Description = "Keep features as float32, or as float16 in half the space and rounded to 11 bits",
        HelpName = "TYPE",
        DefaultValueFactory = _ => "float32",
    };

    public void AddTo(Command command)
    {
        _precision.AcceptOnlyFromAmong("float32", "float16");
        command.Add(_noCache);
        command.Add(_precision);
    }

    /// <summary>The cache, or none, with a warning, where it cannot be had.</summary>
    public FeatureCache? Open(ParseResult parsed)
    {
        var precision = parsed.GetValue(_precision) == "float16" ? FeaturePrecision.Float16 : FeaturePrecision.Float32;
        if (!parsed.GetValue(_noCache)) return OpenShared(precision);
        return precision == FeaturePrecision.Float32
            ? null
            : throw new UsageException("--cache-precision says how features are kept, and --no-cache keeps none. Leave one of them out.");
    }

    /// <summary>The same as a training request says.</summary>
    public static FeatureCache? Open(TrainingRequest request) => request.Cache == false
        ? null
        : OpenShared(request.CachePrecision == "float16" ? FeaturePrecision.Float16 : FeaturePrecision.Float32);

    /// <summary>The cache, or none, with a warning, where it cannot be had.</summary>
    public static FeatureCache? OpenShared(FeaturePrecision precision = FeaturePrecision.Float32)
    {
        try
        {
            Terminal.AdviceAfterInterruption ??= "The features computed so far are kept; repeat the command to continue.";
            return FeatureCache.Open(options: FeatureCacheOptions.FromEnvironment() with { Precision = precision, Warn = Terminal.Warn });
        }
        catch (FeatureCacheException problem)
        {
            Terminal.Warn($"{problem.Message} This run goes on without the cache.");
            return null;
        }
    }
}
