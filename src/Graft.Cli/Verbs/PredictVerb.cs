using System.Collections.Concurrent;
using System.CommandLine;
using Graft.Classifiers;
using Graft.Data;
using Graft.Features;

namespace Graft.Cli.Verbs;

internal static class PredictVerb
{
    private const string StandardInput = "-";

    /// <summary>The first answers come soon, and later ones in batches large enough to keep all cores busy.</summary>
    private const int SmallestBatch = 8, LargestBatch = 256;

    public static Command Create()
    {
        var model = BackboneOptions.Model(orExported: true);
        var paths = new Argument<string[]>("PATH")
        {
            Description = "Photos; folders, with those below them; quoted patterns such as \"trip/**/*.jpg\"; "
                + "or - to read paths from standard input, one a line",
            Arity = ArgumentArity.OneOrMore,
        };
        var top = new Option<int>("--top")
        {
            Description = "Number of most probable classes to print",
            HelpName = "COUNT",
            DefaultValueFactory = _ => 1,
        };
        var threshold = new Option<double?>("--threshold")
        {
            Description = "Report photos as \"unsure\" whose most probable class is below this probability, 0 to 1",
            HelpName = "P",
        };
        var refuse = new Option<double?>("--refuse")
        {
            Description = "Share of photos like the training photos that may be called \"unlike\", none of the classes (default: as in training, 0.02)",
            HelpName = "SHARE",
        };
        var sortInto = new Option<string?>("--sort-into")
        {
            Description = "Copy each photo to a folder of its class in this folder; nothing is overwritten or copied twice",
            HelpName = "DIR",
        };
        var sharding = new ShardOption();
        var placing = new DeviceOption();
        var pretrained = new BackboneOptions();
        var json = Terminal.Json();
        var csv = new Option<bool>("--csv") { Description = "Print a table of path, class, probability (RFC 4180) on standard output" };
        var command = new Verb(
            "predict",
            """
            Classify photos.

            A photo that cannot be read is reported on standard error with the reason; the others are classified, and the exit code is 1.
            """,
            "graft predict runs/flowers-mobilenet_v2 garden.jpg --top 3",
            "graft predict runs/flowers-mobilenet_v2 \"trip/**/*.jpg\" --threshold 0.8 --sort-into sorted",
            "find trip -newer last | graft predict runs/flowers-mobilenet_v2 - --csv > trip.csv",
            "graft predict flowers.onnx garden.jpg",
            "graft predict runs/flowers-mobilenet_v2 \"shards/{000..127}.tar\" --shard 3/8 --csv > part-3.csv",
            "graft predict mobilenet_v1 garden.jpg") { model, paths, top, threshold, refuse, sortInto, json, csv };
        sharding.AddTo(command);
        placing.AddTo(command);
        pretrained.AddTo(command);
        var explain = new ExplainOption();
        explain.AddTo(command);
        command.SetHandler((parsed, cancellation) =>
        {
            if (parsed.GetValue(top) < 1) throw new UsageException("Expected --top of at least 1.");
            if (parsed.GetValue(threshold) is not (null or (>= 0 and <= 1)))
                throw new UsageException("Expected --threshold from 0 to 1, such as 0.8.");
            if (parsed.GetValue(json) && parsed.GetValue(csv)) throw new UsageException("Expected --json or --csv, found both.");
            var shard = sharding.Value(parsed);
            var target = parsed.GetValue(sortInto);
            if (File.Exists(target)) throw new UsageException($"--sort-into {target} is a file. Name a folder, new or not.");
            string[] results = [.. new[] { target, explain.Folder(parsed) }.OfType<string>()];
            using var classifier = AnsweringModel.Open(parsed.GetRequiredValue(model), pretrained, placing.Value(parsed), parsed, cancellation);
            if (parsed.GetValue(refuse) is { } share)
            {
                Refuse(
                    classifier.Trained ?? throw new UsageException("--refuse is for trained models: an exported file says which photos are unlike by the share that it was trained with."),
                    share);
            }

            var skipped = new List<SkippedFile>();
            var said = 0;
            var hasBars = false;
            void Skip(SkippedFile file)
            {
                skipped.Add(file);
                if (!hasBars) SaySkipped();
            }
            void SaySkipped()
            {
                for (; said < skipped.Count; said++) Terminal.Say($"{Terminal.OnOneLine(skipped[said].Path)}: {skipped[said].Reason}");
            }
            var count = Math.Min(parsed.GetValue(top), classifier.Classes.Count);
            var least = parsed.GetValue(threshold);
            PredictionOutput.Doubts doubts = new(least is not null, classifier.KnowsUnlike);
            using var output = parsed.GetValue(json) ? PredictionOutput.Json(count, doubts)
                : parsed.GetValue(csv) ? PredictionOutput.Csv(count, doubts, target is not null)
                : PredictionOutput.Text(count);
            using var sorting = target is null ? null : new Sorting(target, classifier.Classes);
            using var maps = explain.Begin(parsed, classifier);
            // One photo is not worth opening the cache for.
            FeatureCache? cache = null;

            void Predict(IReadOnlyList<string> photos)
            {
                cancellation.ThrowIfCancellationRequested();
                if (shard is { } part) photos = PhotoHashes.Of(part, photos, cancellation);
                if (photos.Count == 0) return;
                if (photos.Count > 1 && classifier.HasFeatures) cache ??= CacheOptions.OpenShared();
                var predictions = classifier.Predict(photos, cache, progress: null, cancellation);
                foreach (var broken in predictions.Broken) Skip(broken);
                output.Write([.. predictions.Read.Select(prediction =>
                {
                    var isUnsure = prediction.Probability < least;
                    var answer = new Answer(prediction, isUnsure, SortedTo: null);
                    return sorting is null ? answer : answer with { SortedTo = sorting.Add(prediction.Path, answer.Doubt ?? prediction.Class) };
                })]);
                maps?.Write(predictions.Read, cancellation);
            }

            try
            {
                var wanted = parsed.GetRequiredValue(paths);
                if (wanted.Contains(StandardInput))
                {
                    foreach (var batch in Arriving(wanted, results, Skip, cancellation)) Predict(batch);
                }
                else
                {
                    string[] photos = [.. wanted.SelectMany(path => Find(path, results, Skip))];
                    // Where answers go to the terminal, they show how far it is.
                    if (Console.IsOutputRedirected && photos.Length > LargestBatch)
                    {
                        // Lines amid bars would tear them.
                        hasBars = !Console.IsErrorRedirected;
                        Terminal.WithProgress(progress =>
                        {
                            var done = 0;
                            foreach (var batch in Batches(photos))
                            {
                                Predict(batch);
                                progress.Report(new("Predict", done += batch.Length, photos.Length, "photos"));
                            }
                            return done;
                        });
                        SaySkipped();
                    }
                    else
                    {
                        foreach (var batch in Batches(photos)) Predict(batch);
                    }
                }
                output.End(skipped, sorting?.Summary);
            }
            finally
            {
                cache?.Dispose();
            }
            return skipped.Count == 0 ? Terminal.Done : Terminal.Failed;
        });
        return command;
    }

    /// <summary>Calls so large a share of photos like the training photos unlike them.</summary>
    /// <exception cref="UsageException">The model cannot promise that.</exception>
    internal static void Refuse(ImageClassifier classifier, double share)
    {
        if (share is not (> 0 and < 1)) throw new UsageException("Expected --refuse between 0 and 1, such as 0.02.");
        if (classifier.Novelty is null)
            throw new UsageException($"{classifier.BackboneName} does not know how unlike its training photos a photo is, so that --refuse has no effect. A model that graft train makes does, unless it is trained with --refuse 0.");
        if (classifier.Novelty.Cut(share) is null)
            throw new UsageException($"The model was validated on too few photos to promise --refuse {share}. Take {(1.0 / (classifier.Novelty.ValidationCount + 1)).ToString("0.###", System.Globalization.CultureInfo.InvariantCulture)} or more, or train it with more photos.");
        classifier.Refuse = share;
    }

    private static IReadOnlyList<string> Find(string path, string[] except, Action<SkippedFile> skip)
    {
        var found = PhotoPaths.Find(path, except);
        foreach (var file in found.Skipped) skip(file);
        return found.Photos;
    }

    private static IEnumerable<string[]> Batches(string[] photos)
    {
        for (int start = 0, size = SmallestBatch; start < photos.Length; start += size, size = Math.Min(2 * size, LargestBatch))
            yield return photos[start..Math.Min(start + size, photos.Length)];
    }

    /// <summary>Photos of the arguments and, where one is <c>-</c>, of standard input: as many at once as have been named by then.</summary>
    private static IEnumerable<string[]> Arriving(string[] paths, string[] except, Action<SkippedFile> skip, CancellationToken cancellation)
    {
        using var lines = new BlockingCollection<string>(boundedCapacity: 4 * LargestBatch);
        _ = Task.Factory.StartNew(
            () =>
            {
                try
                {
                    foreach (var path in paths)
                    {
                        if (path != StandardInput) lines.Add(path, cancellation);
                        else
                            while (Console.In.ReadLine() is { } line)
                                if (line.Length > 0) lines.Add(line, cancellation);
                    }
                }
                finally
                {
                    lines.CompleteAdding();
                }
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        while (lines.TryTake(out var first, Timeout.Infinite, cancellation))
        {
            List<string> photos = [.. Find(first, except, skip)];
            while (photos.Count < LargestBatch && lines.TryTake(out var next)) photos.AddRange(Find(next, except, skip));
            foreach (var batch in photos.Chunk(LargestBatch)) yield return batch;
        }
    }

    /// <summary>Copies photos into folders of classes, and in the end says how many went where.</summary>
    private sealed class Sorting(string target, IReadOnlyList<string> classes) : IDisposable
    {
        // A class of such a name would be the other one's folder.
        private readonly ClassFolders _folders = new(target, new[] { Answer.Unsure, Answer.Unlike }.Union(classes));
        private readonly SortedDictionary<string, int> _copied = new(StringComparer.Ordinal);
        private int _alreadyThere;

        public SortingSummary Summary => new(target, _copied, _alreadyThere);

        public string Add(string photo, string className)
        {
            var (path, wasThere) = _folders.Add(photo, className);
            if (wasThere) _alreadyThere++;
            else _copied[className] = _copied.GetValueOrDefault(className) + 1;
            return path;
        }

        public void Dispose()
        {
            var copied = _copied.Count == 0 ? "Copied nothing" : "Copied";
            var counts = string.Join(", ", _copied.Select(count => $"{count.Key} {count.Value:N0}"));
            var there = _alreadyThere == 0 ? "" : $" {_alreadyThere:N0} {(_alreadyThere == 1 ? "was" : "were")} there already.";
            Terminal.Say($"{copied} into {target}{(counts.Length > 0 ? ": " : "")}{counts}.{there}");
        }
    }
}
