using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using Graft.Features;
using Graft.Features.Export;
using Graft.Ranks;
using Graft.Runs;

namespace Graft.Cli.Verbs;

internal static class FeaturesVerb
{
    public static Command Create()
    {
        var (data, tables) = (LabeledPhotos.Argument(), new LabeledPhotos());
        var output = new Option<string>("--out")
        {
            Description = "The file to write: .npz (numpy), .parquet (pandas, DuckDB) or .safetensors",
            HelpName = "FILE",
            Required = true,
        };
        var seed = new Option<int>("--seed")
        {
            Description = "Decides which images are called validation, as in `graft train`",
            HelpName = "NUMBER",
            DefaultValueFactory = _ => 1,
        };
        var networks = new BackboneOptions();
        var extraction = new ExtractionOptions(networks);
        var caching = new CacheOptions();
        var json = Terminal.Json();
        var command = new Verb(
            "features",
            "Write the features of labeled photos, with paths, labels and split, to a file for other programs.",
            "graft features flowers --backbone mobilenet_v2 --out flowers.npz",
            "graft features flowers --backbone vgg16 --layer block4_pool --pool max --out flowers.parquet",
            "graft features flowers --backbone alexnet+vgg16 --out flowers.npz") { data, output };
        command.Add(FeaturesMapVerb.Create());
        networks.AddAllTo(command);
        extraction.AddTo(command, BackboneRequests.PoolingNames);
        command.Add(seed);
        caching.AddTo(command);
        tables.AddTo(command);
        command.Add(json);

        command.SetHandler((parsed, cancellation) =>
        {
            var ranks = RanksOfCommand.Join();
            var clock = Stopwatch.StartNew();
            var file = parsed.GetRequiredValue(output);
            if (FeatureTable.ProblemWith(file) is { } problem) throw new UsageException(problem);
            var source = LabeledPhotos.Existing(parsed.GetRequiredValue(data));
            var photos = tables.Load(source, new() { Seed = parsed.GetValue(seed) }, parsed);
            foreach (var note in photos.Notes) Terminal.Note(note);

            using var features = RanksOfCommand.Rank0First(ranks, () => extraction.Load(parsed, cancellation));
            if (ranks is not null) RankAgreement.Check(ranks, photos, string.Join('+', features.Blocks.Select(block => block.Fingerprint)));
            using var cache = caching.Open(parsed);
            var isFirst = ranks is not { Rank: > 0 };
            var set = Terminal.WithProgress(progress => RankedExtraction.Extract(
                [.. photos.All], ranks,
                share => features.Extract(share, cache, Terminal.Warn, extraction.Engine(parsed), bank: null, isFirst ? progress : null, cancellation), isWanted: isFirst));
            if (!isFirst) return Terminal.Done;
            SkippedFiles.Say([.. photos.Skipped, .. set.Broken]);
            if (set.Rows.Count == 0) throw new GraftException($"None of the images in {source} can be read.");
            FeatureTable.Of(photos, set, features).Scaled(features).Write(file);

            var shape = features.Shape;
            if (parsed.GetValue(json))
            {
                Console.Out.WriteLine(JsonSerializer.Serialize(
                    new
                    {
                        File = file,
                        Backbone = features.Name,
                        Layer = string.Join(" + ", features.Blocks.Select(block => FeatureSpace.Of("", block).Layer)),
                        Images = set.Rows.Count,
                        Skipped = photos.Skipped.Count + set.Broken.Count,
                        Shape = shape.Sizes,
                        photos.Classes,
                        Seconds = Math.Round(clock.Elapsed.TotalSeconds, 3),
                        Cache = new { Hits = set.CacheHits, Misses = set.CacheMisses },
                    },
                    RunFolder.Json));
            }
            else
            {
                Console.Out.WriteLine($"{file}: {set.Rows.Count:N0} images × {shape} numbers, {photos.Classes.Count} classes");
            }
            Terminal.Say($"Features: {set.CacheHits:N0} from the cache, {set.CacheMisses:N0} computed, {clock.Elapsed.TotalSeconds:0.0} s.");
            return Terminal.Done;
        });
        return command;
    }
}
