using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Graft.Data;
using Graft.Runs;
using Graft.Transfer;

namespace Graft.Cli.Verbs;

internal static class DataCompareVerb
{
    public static Command Create()
    {
        var first = new Argument<string>("A") { Description = "Photos, with labels or without: a folder, or a CSV of path,label" };
        var second = new Argument<string>("B") { Description = "Photos from another source" };
        var seed = new Option<int>("--seed") { Description = "Decides the folds and halves that are compared", HelpName = "NUMBER", DefaultValueFactory = _ => 1 };
        var networks = new BackboneOptions();
        var extraction = new ExtractionOptions(networks);
        var caching = new CacheOptions();
        var json = Terminal.Json();
        var command = new Verb(
            "compare", "Say how different photos of two sources are, by the features of a network: is it another domain at all?",
            "graft data compare catalog phone --backbone mobilenet_v2") { first, second };
        networks.AddAllTo(command);
        extraction.AddTo(command, BackboneRequests.PoolingNames);
        command.Add(seed);
        caching.AddTo(command);
        command.Add(json);
        command.SetHandler((parsed, cancellation) =>
        {
            var (a, b) = (parsed.GetRequiredValue(first), parsed.GetRequiredValue(second));
            var (photosA, photosB) = (Photos(a), Photos(b));
            CheckApart(a, photosA, b, photosB);
            using var features = extraction.Load(parsed, cancellation);
            using var cache = caching.Open(parsed);
            var sets = ((IReadOnlyList<LabeledImage>[])[photosA, photosB]).Select(photos => Terminal.WithProgress(progress => features.Extract(
                photos, cache, Terminal.Warn, extraction.Engine(parsed), bank: null, progress, cancellation))).ToArray();
            SkippedFiles.Say([.. sets.SelectMany(set => set.Broken)]);
            var comparison = DomainComparison.Of(sets[0].Rows, sets[1].Rows, parsed.GetValue(seed), cancellation);
            Console.Out.WriteLine(parsed.GetValue(json)
                ? JsonSerializer.Serialize(
                    new
                    {
                        First = a,
                        Second = b,
                        Images = new[] { sets[0].Rows.Count, sets[1].Rows.Count },
                        Backbone = features.Name,
                        comparison.ProxyADistance,
                        comparison.FrechetDistance,
                        comparison.FrechetDistanceOfHalves,
                        comparison.MeanShift,
                        comparison.MeanCosine,
                        comparison.Verdict,
                    },
                    RunFolder.Json)
                : string.Create(CultureInfo.InvariantCulture, $"""
                    {a}: {sets[0].Rows.Count:N0} photos; {b}: {sets[1].Rows.Count:N0} photos; features of {features.Name}
                    proxy A-distance   {comparison.ProxyADistance,8:0.00}   0: cannot be told apart, 2: always
                    Fréchet distance   {comparison.FrechetDistance,8:0.0##}   {comparison.FrechetDistanceOfHalves:0.0##} between halves of one source
                    shift of the mean  {comparison.MeanShift,8:0.00}   in standard deviations of the features
                    cosine of means    {comparison.MeanCosine,8:0.000}   1: one direction
                    {comparison.Verdict}
                    """));
            return Terminal.Done;
        });
        return command;
    }

    /// <summary>Photos that are in both sources make them look alike, and one source is always like itself.</summary>
    private static void CheckApart(string a, IReadOnlyList<LabeledImage> photosA, string b, IReadOnlyList<LabeledImage> photosB)
    {
        var folders = new Dictionary<string, string>(StringComparer.Ordinal);
        var pathsOfA = photosA.Select(RealPath).ToHashSet(StringComparer.Ordinal);
        var common = photosB.Count(photo => pathsOfA.Contains(RealPath(photo)));
        if (common == 0) return;
        if (common == photosA.Count && common == photosB.Count) throw new UsageException($"{a} and {b} are the same photos, and a source does not differ from itself. Name photos of another source.");
        Terminal.Warn(string.Create(CultureInfo.InvariantCulture, $"{common:N0} {(common == 1 ? "photo is" : "photos are")} in both {a} and {b}: they make the two look more alike than they are."));

        string RealPath(LabeledImage photo)
        {
            if (new FileInfo(photo.Path).LinkTarget is not null) return OutputFolder.RealPath(photo.Path);
            var folder = Path.GetDirectoryName(Path.GetFullPath(photo.Path))!;
            if (!folders.TryGetValue(folder, out var real)) folders[folder] = real = OutputFolder.RealPath(folder);
            return Path.Join(real, Path.GetFileName(photo.Path));
        }
    }

    private static IReadOnlyList<LabeledImage> Photos(string place)
    {
        LabeledPhotos.Existing(place);
        if (!Directory.Exists(place)) return [.. LabeledImages.Load(place, LabeledImagesOptions.ForChecking).All];
        var found = PhotoPaths.Find(place);
        SkippedFiles.Say(found.Skipped);
        return [.. found.Photos.Select(path => new LabeledImage(path, 0))];
    }
}
