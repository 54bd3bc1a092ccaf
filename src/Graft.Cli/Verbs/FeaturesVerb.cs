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
        var placing = new DeviceOption();
        var caching = new CacheOptions();
        var sharding = new ShardOption();
        var json = Terminal.Json();
        var command = new Verb(
            "features",
            "Write the features of labeled photos, with paths, labels and split, to a file for other programs.",
            "graft features flowers --backbone mobilenet_v2 --out flowers.npz",
            "graft features flowers --backbone vgg16 --layer block4_pool --pool max --out flowers.parquet",
            "graft features flowers --backbone alexnet+vgg16 --out flowers.npz",
            "graft features shards --shard 3/8 --out part-3.parquet") { data, output };
        command.Add(FeaturesMapVerb.Create());
        command.Add(FeaturesMergeVerb.Create());
        networks.AddAllTo(command);
        extraction.AddTo(command, BackboneRequests.PoolingNames);
        placing.AddTo(command);
        command.Add(seed);
        sharding.AddTo(command);
        caching.AddTo(command);
        tables.AddTo(command);
        command.Add(json);

        command.SetHandler((parsed, cancellation) =>
        {
            var clock = Stopwatch.StartNew();
            var file = parsed.GetRequiredValue(output);
            var shard = sharding.Value(parsed);
            var device = placing.Value(parsed, extraction.Engine(parsed));
            // Shards are computed apart from each other, by ranks too.
            var ranks = shard is null ? RanksOfCommand.Join() : null;
            if (shard is not null && !Path.GetExtension(file).Equals(".parquet", StringComparison.OrdinalIgnoreCase)) throw new UsageException($"Expected a .parquet file with --shard, found {file}.");
            // An existing part is resumed.
            if (!(shard is not null && File.Exists(file)) && FeatureTable.ProblemWith(file) is { } problem) throw new UsageException(problem);
            var source = LabeledPhotos.Existing(parsed.GetRequiredValue(data));
            var photos = tables.Load(source, new() { Seed = parsed.GetValue(seed) }, parsed);
            foreach (var note in photos.Notes) Terminal.Note(note);

            using var features = RanksOfCommand.Rank0First(ranks, () => extraction.Load(parsed, cancellation));
            features.Device = device;
            if (ranks is not null) RankAgreement.Check(ranks, photos, string.Join('+', features.Blocks.Select(block => block.Fingerprint)));
            using var cache = caching.Open(parsed);
            if (shard is { } part)
            {
                var written = Terminal.WithProgress(progress => FeaturePart.Write(photos, features, part, file, cache, Terminal.Warn, extraction.Engine(parsed), progress, cancellation));
                SkippedFiles.Say([.. photos.Skipped, .. written.Skipped]);
                Console.Out.WriteLine(parsed.GetValue(json)
                    ? JsonSerializer.Serialize(
                        new
                        {
                            File = file,
                            Shard = part.ToString(),
                            Backbone = features.Name,
                            written.Images,
                            Skipped = photos.Skipped.Count + written.Skipped.Count,
                            Shape = features.Shape.Sizes,
                            photos.Classes,
                            Seconds = Math.Round(clock.Elapsed.TotalSeconds, 3),
                            written.Kept,
                            Cache = new { Hits = written.CacheHits, Misses = written.CacheMisses },
                        },
                        RunFolder.Json)
                    : $"{file}: shard {part}, {written.Images:N0} images × {features.Shape} numbers, {photos.Classes.Count} classes");
                Terminal.Say($"Features: {written.Kept:N0} kept, {written.CacheHits:N0} from the cache, {written.CacheMisses:N0} computed, {clock.Elapsed.TotalSeconds:0.0} s.");
                return Terminal.Done;
            }
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
