using System.CommandLine;
using System.Globalization;
using Graft.Data;
using Graft.Features;
using Graft.Networks;
using Graft.Runs;
using Graft.Training;

namespace Graft.Cli.Verbs;

internal static class TrainVerb
{
    public static Command Create()
    {
        var data = LabeledPhotos.Argument();
        // A run that is gone on with knows its photos.
        data.Arity = ArgumentArity.ZeroOrOne;
        var backbone = BackboneOptions.Name();
        var pretrained = new BackboneOptions();
        var strategies = new FineTuningCommandOptions();
        var output = new Option<string?>("--out") { Description = "The run folder to create (default: runs/DATA-BACKBONE)", HelpName = "RUN" };
        var hidden = new Option<int[]>("--hidden")
        {
            Description = "Units of the head's hidden dense layers (the classic recipe: 1024)",
            HelpName = "UNITS[,UNITS]",
            CustomParser = result =>
            {
                var units = new List<int>();
                foreach (var text in result.Tokens.SelectMany(token => token.Value.Split(',')))
                {
                    if (int.TryParse(text, CultureInfo.InvariantCulture, out var count)) units.Add(count);
                    else result.AddError($"Expected --hidden as numbers of units, such as 1024 or 512,256, found {text}.");
                }
                return [.. units];
            },
        };
        var dropout = new Option<double>("--dropout") { HelpName = "SHARE", Description = "Share of values dropped before the last layer", DefaultValueFactory = _ => 0 };
        var noBatchNorm = new Option<bool>("--no-batch-norm") { Description = "Do not standardise the features first" };
        var defaults = new TrainingOptions();
        var optimizer = new Option<OptimizerKind>("--optimizer") { HelpName = "NAME", Description = "adam, adamw, sgd (Nesterov momentum 0.9) or rmsprop", DefaultValueFactory = _ => defaults.Optimizer };
        var rate = new Option<double>("--learning-rate") { HelpName = "RATE", Description = "The learning rate", DefaultValueFactory = _ => defaults.LearningRate };
        var decay = new Option<double>("--weight-decay") { HelpName = "FACTOR", Description = "Pull of weights towards zero", DefaultValueFactory = _ => defaults.WeightDecay };
        var batch = new Option<int>("--batch-size") { HelpName = "IMAGES", Description = "Images per step", DefaultValueFactory = _ => defaults.BatchSize };
        var epochs = new Option<int>("--epochs") { HelpName = "COUNT", Description = "The most passes over the images", DefaultValueFactory = _ => defaults.Epochs };
        var patience = new Option<int>("--patience")
        {
            HelpName = "EPOCHS",
            Description = "Epochs without a lower validation loss before stopping; 0 never stops early",
            DefaultValueFactory = _ => defaults.Patience,
        };
        var seed = new Option<int>("--seed") { HelpName = "NUMBER", Description = "Decides split, initial weights and order", DefaultValueFactory = _ => defaults.Seed };
        var classifiers = new ClassifierOptions();
        var caching = new CacheOptions();
        var json = Terminal.Json();
        var noReport = new Option<bool>("--no-report") { Description = "Leave report.html out; graft report writes it later" };

        var command = new Verb(
            "train",
            "Train a classifier of your own photos on the features of a pretrained network.",
            "graft train flowers --backbone mobilenet_v2 --hidden 1024 --dropout 0.5",
            "graft train flowers --backbone mobilenet_v2 --classifier logistic --C auto",
            "graft train flowers --views 8 --augment medium",
            "graft train flowers --strategy finetune --unfreeze-from features.14") { data, backbone };
        pretrained.AddTo(command, BackboneOptions.VectorPoolings);
        strategies.AddTo(command);
        classifiers.AddTo(command);
        foreach (Option option in (Option[])[
            output, hidden, dropout, noBatchNorm, optimizer, rate, decay, batch, epochs, patience, seed, noReport, json]) command.Add(option);
        caching.AddTo(command);

        command.SetWork((parsed, cancellation) =>
        {
            if (strategies.IsFineTuning(parsed)) return strategies.Train(command, pretrained, caching, parsed, cancellation);
            if (parsed.GetValue(data) is null) throw new UsageException("Name the photos: graft train DIR");
            var description = RunDescription.Of(FineTuningCommandOptions.Arguments(parsed));
            var options = new TrainingRunOptions
            {
                Classifier = classifiers.Of(parsed, noBatchNorm, hidden, dropout, optimizer, rate, decay, batch, epochs, patience),
                Head = new()
                {
                    HiddenUnits = parsed.GetValue(hidden) ?? [],
                    Dropout = parsed.GetValue(dropout),
                    BatchNorm = !parsed.GetValue(noBatchNorm),
                },
                Training = new()
                {
                    Optimizer = parsed.GetValue(optimizer),
                    LearningRate = parsed.GetValue(rate),
                    WeightDecay = parsed.GetValue(decay),
                    BatchSize = parsed.GetValue(batch),
                    Epochs = parsed.GetValue(epochs),
                    Patience = parsed.GetValue(patience),
                    Balance = classifiers.IsBalanced(parsed) ? ClassBalance.Weights : ClassBalance.None,
                    Seed = parsed.GetValue(seed),
                },
                Engine = pretrained.Engine(parsed),
                Views = strategies.Views(parsed, parsed.GetValue(seed)),
                Warn = Terminal.Warn,
            };
            if (options.Problems() is { Count: > 0 } problems) throw new UsageException(string.Join(" ", problems));
            var source = LabeledPhotos.Existing(parsed.GetRequiredValue(data));
            TrainingRun.LoadAhead();
            var photos = LabeledImages.Load(source, new() { Seed = options.Training.Seed });
            foreach (var note in photos.Notes) Terminal.Note(note);

            using var features = pretrained.LoadFeatures(parsed.GetRequiredValue(backbone), parsed, cancellation);
            var run = RunFolder.Create(parsed.GetValue(output), $"{SourceName(source)}-{string.Join('+', features.Blocks.Select(block => block.Name.Split('.')[0]))}");
            try
            {
                Terminal.Say($"{source}: {photos.Classes.Count} classes, {photos.Train.Count:N0} images to train on, "
                    + $"{photos.Validation.Count:N0} to validate{(photos.ValidationWasSplit ? " (split off)" : "")}, {photos.Test.Count:N0} to test");
                Terminal.Say(options.Classifier is null
                    ? Layers(features, options.Head, photos.Classes.Count)
                    : $"{features.Name}, {features.Shape.ElementCount:N0} features, frozen; on them {options.Classifier.Title}");
                using var cache = caching.Open(parsed);
                using var result = Terminal.WithProgress(progress =>
                    TrainingRun.Execute(photos, features, cache, options with { Progress = progress }, cancellation));
                run.Save(result, description);
                ReportVerb.WriteFor(run, result.Predictions, parsed);
                SkippedFiles.Say(result.Photos.Skipped, Path.Combine(run.FullName, "skipped.csv"));
                SkippedFiles.Say(result.DataCheck, source);
                Console.Out.Write(parsed.GetValue(json) ? RunFolder.Result(result) + "\n" : RunFolder.Report(result));
                if (result.Classifier is { } fitted) Terminal.Say($"\nfrozen {Frozen(features):N0} · trainable {fitted.ParameterCount:N0} parameters");
                Terminal.Say($"""

                    Features: {result.CacheHits:N0} from the cache, {result.CacheMisses:N0} computed, {result.Seconds.Features:0.0} s. Training: {result.Seconds.Training:0.0} s.
                    The run is in {run.FullName}. Next: graft predict {run.FullName} PHOTO.jpg
                    """);
                return Terminal.Done;
            }
            finally
            {
                run.DeleteIfEmpty();
            }
        });
        return command;
    }

    private static string Layers(FeatureBlocks features, Head head, int classes)
    {
        var shape = features.Shape;
        // Joined features come standardised.
        var built = new Network(features.Name, [new("features", Input.Of(shape), [])])
            .Append(output => (features.IsCombination ? head with { BatchNorm = false } : head).Build(output, classes));
        return $"{features.Name}, {shape.ElementCount:N0} features: "
            + $"frozen {Frozen(features):N0} · trainable {LayerTable.Of(built).Parameters:N0} parameters";
    }

    private static long Frozen(FeatureBlocks features) =>
        features.Blocks.Select(block => LayerTable.Of(block.Network)).Sum(table => table.Parameters + table.Statistics);

    internal static string SourceName(string source) =>
        Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(Path.GetFullPath(source))) is { Length: > 0 } name ? name : "photos";
}
