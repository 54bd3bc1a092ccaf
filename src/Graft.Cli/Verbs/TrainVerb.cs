using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json;
using Graft.Data.Remote;
using Graft.Features;
using Graft.Networks;
using Graft.Ranks;
using Graft.Runs;
using Graft.Training;

namespace Graft.Cli.Verbs;

internal static class TrainVerb
{
    /// <summary>Of a class; docs/choosing.md has the measurements.</summary>
    private const int FewPhotos = 20;

    public static Command Create()
    {
        var data = LabeledPhotos.Argument();
        // A run that is resumed knows its photos.
        data.Arity = ArgumentArity.ZeroOrOne;
        var networks = new BackboneOptions();
        var requests = new RequestOptions();
        var output = new Option<string?>("--out") { Description = "The run folder to create (default: runs/DATA-BACKBONE)", HelpName = "RUN" };
        var resume = new Option<string?>("--resume") { Description = "Resume an interrupted run with its original options", HelpName = "RUN" };
        var findRate = new Option<bool>("--find-lr")
        {
            Description = "Do not train: try learning rates from 1e-7 to 1 in 100 steps of the last stage, and say and draw which suits",
        };
        var saveRecipe = new Option<string?>("--save-recipe") { Description = "Also write the options, without the photos, to a new JSON file for --recipe", HelpName = "FILE" };
        var noReport = new Option<bool>("--no-report") { Description = "Leave report.html out; graft report writes it later" };
        var json = Terminal.Json();

        var command = new Verb(
            "train",
            "Train a classifier of your own photos on a pretrained network: on its features, or into the network.",
            "graft train flowers --backbone mobilenet_v2",
            "graft train flowers --backbone mobilenet_v2 --classifier logistic --C auto",
            "graft train flowers --views 8 --augment medium",
            "graft train flowers --strategy finetune --unfreeze-from features.14",
            "graft train cats_dogs --backbone xception --recipe keras-guide")
        {
            HeadingOf = option => requests.HeadingOf(option) ?? (networks.All.Contains(option) && option.Name != "--backbone" ? "Network" : "Options"),
        };
        command.Add(data);
        networks.AddAllTo(command);
        requests.AddTo(command);
        foreach (Option option in (Option[])[output, resume, findRate, saveRecipe, noReport, json]) command.Add(option);

        command.SetHandler((parsed, cancellation) =>
        {
            var ranks = RanksOfCommand.Join();
            var presentation = new Presentation(parsed.GetValue(json), Page: !parsed.GetValue(noReport), parsed.GetValue(Terminal.Verbose));
            if (parsed.GetValue(resume) is { } interrupted)
            {
                if (parsed.CommandResult.Children.OfType<OptionResult>().FirstOrDefault(result =>
                        !result.Implicit && result.Option != resume && result.Option != json && result.Option != noReport && result.Option != Terminal.Verbose) is { } stray)
                {
                    throw new UsageException($"--resume takes a run's original options from its folder: leave {stray.Option.Name} out.");
                }
                if (parsed.GetValue(data) is { } given) throw new UsageException($"--resume knows the photos of the run: leave {given} out.");
                return Resume(interrupted, ranks, presentation, cancellation);
            }
            var source = LabeledPhotos.Existing(parsed.GetValue(data) ?? throw new UsageException("Name the photos: graft train DIR"));
            var request = requests.Read(parsed, source, networks);
            if (request.Problems() is { Count: > 0 } problems) throw new RequestException(problems);
            if (parsed.GetValue(findRate) && request.Way == Ways.Classifier)
                throw new UsageException($"--find-lr tries learning rates, and {request.Classifier} has none: leave it out, or take --classifier softmax.");
            if (parsed.GetValue(findRate) && ranks is not null) throw new UsageException("--find-lr takes one process: start it without mpirun.");
            if (ranks is not { Rank: > 0 } && parsed.GetValue(saveRecipe) is { } recipe) Recipe.Save(request, recipe);

            using var setup = Open(request, ranks, cancellation);
            if (ranks is { Rank: > 0 }) return Assist(setup, ranks, cancellation);
            using var run = RunFolder.Create(parsed.GetValue(output), NameOf(source, setup, parsed.GetValue(findRate)));
            try
            {
                return parsed.GetValue(findRate) ? FindRate(run, setup, presentation, cancellation) : Train(run, setup, ranks, presentation, cancellation);
            }
            finally
            {
                run.DeleteIfEmpty();
            }
        });
        return command;
    }

    private static TrainingSetup Open(TrainingRequest request, ICollective? ranks, CancellationToken cancellation) =>
        RanksOfCommand.Rank0First(ranks, () => TrainingSetup.Open(request, BackboneOptions.Fetch(cancellation)));

    /// <summary>What a rank above 0 does.</summary>
    private static int Assist(TrainingSetup setup, ICollective ranks, CancellationToken cancellation)
    {
        using var cache = CacheOptions.Open(setup.Request!);
        TrainingRun.Assist(setup, new() { Cache = cache, Ranks = ranks }, cancellation);
        return Terminal.Done;
    }

    private static int Resume(string path, ICollective? ranks, Presentation presentation, CancellationToken cancellation)
    {
        if (ranks is { Rank: > 0 })
        {
            if (RanksOfCommand.TextOfRank0(ranks) is not { Length: > 0 } begun) return Terminal.Done;
            using var part = Open(TrainingRequest.FromJson(begun), ranks, cancellation);
            return Assist(part, ranks, cancellation);
        }
        if (RunFolder.Open(path).IsComplete)
        {
            if (ranks is not null) RanksOfCommand.TextOfRank0(ranks);
            Terminal.Say($"The run in {path} is complete.");
            Console.Out.Write(RegularFile.ReadAllText(Path.Combine(path, presentation.Json ? "result.json" : "report.txt")));
            return Terminal.Done;
        }
        using var run = RunFolder.Resume(path);
        var request = run.Description.Request
            ?? throw new GraftException($"The run in {path} was started by an older Graft, whose checkpoints this one does not read. Start it again: {run.Description.Command()}");
        if (ranks is not null) RanksOfCommand.TextOfRank0(ranks, request.ToJson());
        using var setup = Open(request, ranks, cancellation);
        return Train(run.Folder, setup, ranks, presentation, cancellation);
    }

    private static int Train(RunFolder run, TrainingSetup setup, ICollective? ranks, Presentation presentation, CancellationToken cancellation)
    {
        var (request, photos) = (setup.Request!, setup.Photos);
        foreach (var note in setup.Notes) Terminal.Note(note);
        Terminal.Say($"{request.Photos}: {photos.Classes.Count} classes, {photos.Train.Count:N0} images to train on, "
            + $"{photos.Validation.Count:N0} to validate{(photos.ValidationWasSplit ? " (split off)" : "")}, {photos.Test.Count:N0} to test");
        if (request is { Way: Ways.Softmax, Classifier: null } && photos.Train.Count < FewPhotos * photos.Classes.Count)
            Terminal.Note($"With fewer than {FewPhotos} photos of a class, --classifier auto is more accurate: graft auto {request.Photos} chooses it, and the network too.");
        Describe(setup, presentation);
        if (ranks is not null) Terminal.Say(RanksText(ranks, setup));
        Terminal.AdviceAfterInterruption = $"Resume it: graft train --resume {run.FullName}";
        using var cache = CacheOptions.Open(request);
        using var result = Terminal.WithProgress(progress => TrainingRun.Execute(
            setup,
            new()
            {
                Cache = cache,
                Folder = run,
                Ranks = ranks,
                Progress = Console.IsErrorRedirected ? new EpochLines(progress) : progress,
                Warn = Terminal.Warn,
                Page = presentation.Page,
            },
            cancellation));
        SkippedFiles.Say(result.Photos.Skipped, Path.Combine(run.FullName, "skipped.csv"));
        SkippedFiles.Say(result.DataCheck, request.Photos!);
        Console.Out.Write(presentation.Json ? RunText.Result(result) + "\n" : RunText.Report(result));
        if (result.Classifier is { } fitted) Terminal.Say($"\nfrozen {Frozen(setup.Features!):N0} · trainable {fitted.ParameterCount:N0} parameters");
        Terminal.Say($"""

            Features: {result.CacheHits:N0} from the cache, {result.CacheMisses:N0} computed, {result.Seconds.Features:0.0} s. Training: {result.Seconds.Training:0.0} s.
            The run is in {run.FullName}. Next: graft predict {run.FullName} PHOTO.jpg
            """);
        return Terminal.Done;
    }

    private static string RanksText(ICollective ranks, TrainingSetup setup) => setup.Plan.Options.UnfrozenStage is { } stage
        ? $"{ranks.Size} ranks: of the {stage.Training.BatchSize} images of a step, each computes {Math.Round((double)stage.Training.BatchSize / ranks.Size, 1)}."
        : $"{ranks.Size} ranks: each computes the features of its share of the photos.";

    /// <summary>What is about to be trained.</summary>
    private static void Describe(TrainingSetup setup, Presentation presentation)
    {
        var plan = setup.Plan;
        if (setup.Features is { } features)
        {
            Terminal.Say($"{features.Name}, {features.Shape.ElementCount:N0} features: " + (plan.Classifier is { } classifier
                ? $"frozen; on them {classifier.Title}"
                : $"frozen {Frozen(features):N0} · trainable {Trainable(features, plan.Options.Head, setup.Photos.Classes.Count):N0} parameters"));
            return;
        }
        var model = setup.Model!;
        Terminal.Say($"{setup.Name}, {model.Network.InputShape} input, strategy {plan.Options.Strategy.ToString().ToLowerInvariant()}");
        if (plan.HeadStart == HeadStart.Optimum) Terminal.Say("\nHead: logistic regression on the frozen features, to its optimum");
        foreach (var stage in FineTuning.Stages(model, plan.Options))
        {
            var training = stage.Options.Training;
            Terminal.Say($"""

                Stage {stage.Number}, {stage.Name}: up to {training.Epochs} epochs, {training.Optimizer}, learning rate {training.LearningRate}, batches of {training.BatchSize}
                {stage.Plan.ToText(everyLayer: presentation.Verbose)}
                """);
        }
        Terminal.Say("");
    }

    private static int FindRate(RunFolder run, TrainingSetup setup, Presentation presentation, CancellationToken cancellation)
    {
        using var cache = CacheOptions.Open(setup.Request!);
        var sweep = Terminal.WithProgress(progress =>
            TrainingRun.FindLearningRate(setup, new() { Cache = cache, Progress = progress, Warn = Terminal.Warn }, cancellation));
        run.Save(sweep);
        var setting = setup.Plan.Options is { HeadStage: not null, UnfrozenStage: not null } ? nameof(TrainingRequest.Stage2LearningRate) : nameof(TrainingRequest.LearningRate);
        if (presentation.Json)
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(
                new { Stage = sweep.Stage.Name, Suggestion = Rounded(sweep.Suggestion), sweep.Lowest, sweep.Steepest, sweep.Trials }, RunFolder.Json));
        }
        else
        {
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
                Stage {sweep.Stage.Number}, {sweep.Stage.Name}: the loss falls most steeply at a learning rate of {sweep.Steepest.LearningRate:0.0e+0} and is lowest at {sweep.Lowest.LearningRate:0.0e+0}.
                Suggestion: {SettingNames.OnTheCommandLine(setting)} {Rounded(sweep.Suggestion):0e+0}
                """));
        }
        Terminal.Say($"Nothing was trained. The chart is {Path.Combine(run.FullName, "learning_rates.png")}.");
        return Terminal.Done;

        static double Rounded(double rate) => double.Parse(rate.ToString("0e+0", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
    }

    private static long Trainable(FeatureBlocks features, Head head, int classes)
    {
        // Joined features come standardized.
        var built = new Network(features.Name, [new("features", Input.Of(features.Shape), [])])
            .Append(output => (features.IsCombination ? head with { BatchNorm = false } : head).Build(output, classes));
        return LayerTable.Of(built).Parameters;
    }

    private static long Frozen(FeatureBlocks features) =>
        features.Blocks.Select(block => LayerTable.Of(block.Network)).Sum(table => table.Parameters + table.Statistics);

    private static string NameOf(string source, TrainingSetup setup, bool findsRate)
    {
        var photos = Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(RemotePlace.Full(source))) is { Length: > 0 } name ? name : "photos";
        var network = setup.Features is { } features
            ? string.Join('+', features.Blocks.Select(block => ShortName(block.Name)))
            : ShortName(setup.Model!.Backbone.Name);
        var strategy = setup.Plan.Options.Strategy;
        return $"{photos}-{network}{(findsRate ? "-learning-rates" : strategy == Strategy.Features ? "" : $"-{strategy.ToString().ToLowerInvariant()}")}";
    }

    /// <summary>A network of the catalog without its source, an ONNX file without its ending.</summary>
    private static string ShortName(string network) =>
        BackboneRequests.IsOnnx(network) ? Path.GetFileNameWithoutExtension(network) : network.Split('.')[0];

    /// <summary>How results are shown.</summary>
    private sealed record Presentation(bool Json, bool Page, bool Verbose);

    /// <summary>Where nobody watches: a line for each epoch, not for each step.</summary>
    private sealed class EpochLines(IProgress<StepProgress> lines) : IProgress<StepProgress>
    {
        public void Report(StepProgress step)
        {
            if (step.Done == step.Total || !step.Step.Contains("poch ", StringComparison.Ordinal)) lines.Report(step);
        }
    }
}
