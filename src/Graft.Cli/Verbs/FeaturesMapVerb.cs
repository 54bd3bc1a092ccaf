using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Graft.Features.Export;
using Graft.Runs;
using Graft.Transfer;

namespace Graft.Cli.Verbs;

/// <summary><c>graft features map</c>: stored features of one network in the space of another.</summary>
internal static class FeaturesMapVerb
{
    /// <summary>With fewer pairs for each dimension that varies, the map is rough.</summary>
    private const double RoughError = 0.5;

    public static Command Create()
    {
        var old = new Argument<string>("OLD") { Description = "Stored features of labeled photos in the old space, a .safetensors file of graft features" };
        var pairs = new Option<string[]>("--pairs")
        {
            Description = "Features of photos that went through both networks: a file of the old space, then one of the new; photos are matched by path, and their labels do not matter",
            HelpName = "OLD NEW",
            Arity = new ArgumentArity(2, 2),
            AllowMultipleArgumentsPerToken = true,
            Required = true,
        };
        var lambda = new Option<double?>("--lambda") { Description = "Ridge of the map (default: the lowest leave-one-out error)", HelpName = "NUMBER" };
        var output = new Option<string>("--out") { Description = "The .safetensors, .npz or .parquet file to write", HelpName = "FILE", Required = true };
        var json = Terminal.Json();
        var command = new Verb(
            "map", "Bring stored features of another network into this one's space, by photos that went through both.",
            "graft features map old.safetensors --pairs pairs-old.safetensors pairs-new.safetensors --out mapped.safetensors") { old, pairs, lambda, output, json };
        command.SetHandler((parsed, _) =>
        {
            var file = parsed.GetRequiredValue(output);
            if (FeatureTable.ProblemWith(file) is { } problem) throw new UsageException(problem);
            if (parsed.GetValue(lambda) is { } given && !(given > 0 && double.IsFinite(given))) throw new UsageException($"Expected --lambda above 0, found {given.ToString(CultureInfo.InvariantCulture)}.");
            var (table, both) = (FeatureTable.Read(parsed.GetRequiredValue(old)), parsed.GetRequiredValue(pairs).Select(FeatureTable.Read).ToArray());
            var places = new Dictionary<string, int>(StringComparer.Ordinal);
            for (var row = 0; row < both[1].Paths.Count; row++) places[both[1].Paths[row]] = row;
            int[] matched = [.. Enumerable.Range(0, both[0].Paths.Count).Where(row => places.ContainsKey(both[0].Paths[row]))];
            if (matched.Length == 0) throw new GraftException($"{both[0].Paths.Count} and {both[1].Paths.Count} photos of --pairs have no path in common.");
            var map = RidgeMap.Fit([.. matched.Select(row => both[0].Rows[row])], [.. matched.Select(row => both[1].Rows[places[both[0].Paths[row]]])], parsed.GetValue(lambda));
            (table with { Rows = map.Apply(table.Rows), Shape = both[1].Shape, Metadata = both[1].Metadata }).Write(file);
            if (map.LeaveOneOutError > RoughError)
                Terminal.Warn(string.Create(CultureInfo.InvariantCulture, $"The map misses {100 * map.LeaveOneOutError:0} % of the new features' variance: {matched.Length} pairs are few. Add pairs, five to ten for each dimension that varies."));
            Console.Out.WriteLine(parsed.GetValue(json)
                ? JsonSerializer.Serialize(new { File = file, Images = table.Rows.Count, Pairs = matched.Length, map.Lambda, map.LeaveOneOutError }, RunFolder.Json)
                : string.Create(CultureInfo.InvariantCulture, $"{file}: {table.Rows.Count:N0} images mapped by {matched.Length:N0} pairs; leave-one-out error {100 * map.LeaveOneOutError:0.0} % of the variance, lambda {map.Lambda:G3}"));
            return Terminal.Done;
        });
        return command;
    }
}
