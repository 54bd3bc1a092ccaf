using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Graft.Classifiers;
using Graft.Data;
using Graft.Features;
using Graft.Imaging;
using Graft.Networks;
using Graft.Runs;
using Graft.Training;

namespace Graft.Cli.Verbs;

/// <summary>The part of `graft train` that trains into the network, beyond a head on cached features.</summary>
internal sealed class FineTuningCommandOptions
{
    private static readonly Dictionary<string, Strategy?> Strategies = new(StringComparer.OrdinalIgnoreCase)
    {
        ["features"] = null,
        ["head"] = Strategy.Head,
        ["finetune"] = Strategy.FineTune,
        ["partial"] = Strategy.Partial,
        ["full"] = Strategy.Full,
        ["scratch"] = Strategy.Scratch,
    };

    private static readonly Dictionary<string, Head> Heads = new(StringComparer.OrdinalIgnoreCase)
    {
        ["softmax"] = Head.Softmax,
        ["dense"] = Head.Dense(1024, dropout: 0.5),
        ["fc"] = Head.FullyConnected,
        ["binary"] = new() { OneLogit = true, BatchNorm = false, Dropout = 0.2 },
    };

    private static readonly Dictionary<string, LearningRateSchedule> Schedules = new(StringComparer.OrdinalIgnoreCase)
    {
        ["constant"] = new LearningRateSchedule.Constant(),
        ["cosine"] = new LearningRateSchedule.Cosine(),
        ["one-cycle"] = new LearningRateSchedule.OneCycle(),
        ["step"] = new LearningRateSchedule.Stepwise(),
        ["plateau"] = new LearningRateSchedule.ReduceOnPlateau(Patience: 3),
    };

    private readonly Option<string> _strategy = new("--strategy")
    {
        Description = "features (cached, the default), head (augmented), finetune (head, then unfrozen), partial (lower layers frozen), full or scratch",
        HelpName = "NAME",
        DefaultValueFactory = _ => "features",
    };

    private readonly Option<string?> _head = new("--head")
    {
        Description = "The new head: softmax, dense (1,024 units, dropout 0.5), fc (flatten, 256 units, dropout 0.5) or binary (one logit, dropout 0.2)",
        HelpName = "NAME",
    };

    private readonly Option<string?> _unfreezeFrom = new("--unfreeze-from") { Description = "Train the network from this layer or block on", HelpName = "LAYER" };

    private readonly Option<string?> _freeze = new("--freeze")
    {
        Description = "Layers that stay frozen: 0..172 (by number, without the last), features.1*, or a name; several with commas",
        HelpName = "LAYERS",
    };

    private readonly Option<BatchNormMode?> _batchNorm = new("--batch-norm")
    {
        Description = "How batch norms of unfrozen layers run: inference (the default) or training",
        HelpName = "MODE",
    };

    private readonly Option<int?> _secondEpochs = new("--stage2-epochs") { Description = "Epochs with the network unfrozen (finetune)", HelpName = "COUNT" };
    private readonly Option<double?> _secondRate = new("--stage2-learning-rate") { Description = "Learning rate with the network unfrozen (finetune)", HelpName = "RATE" };
    private readonly Option<string?> _schedule = new("--schedule") { Description = "constant, cosine, one-cycle, step or plateau", HelpName = "NAME" };
    private readonly Option<double?> _warmUp = new("--warm-up") { Description = "Epochs in which the learning rate rises from 0", HelpName = "EPOCHS" };
    private readonly Option<double?> _lowestRate = new("--lowest-layer-rate") { Description = "The share of the learning rate that the lowest trained layer gets", HelpName = "SHARE" };
    private readonly Option<double?> _smoothing = new("--label-smoothing") { Description = "The share of the target spread over all classes", HelpName = "SHARE" };
    private readonly Option<ClassBalance?> _balance = new("--balance") { Description = "For classes of unequal size: none, weights or sampling", HelpName = "HOW" };
    private readonly Option<BatchMixing?> _mixing = new("--mix") { Description = "Blend the images of a batch: none, mixup or cutmix", HelpName = "HOW" };
    private readonly Option<double?> _clip = new("--clip") { Description = "The largest norm of the gradient", HelpName = "NORM" };
    private readonly Option<double?> _average = new("--average") { Description = "Keep a moving average of the weights with this decay, such as 0.999", HelpName = "DECAY" };

    private readonly Option<int?> _views = new("--views")
    {
        Description = "Augmented views of each photo that frozen layers compute once and keep, to train on; 0 for new ones in each epoch (not with features)",
        HelpName = "COUNT",
    };

    private readonly Option<ComputeDevice?> _device = new("--device") { Description = "auto, cpu, cuda or mps", HelpName = "NAME" };
    private readonly Option<int?> _threads = new("--threads") { Description = "Threads that libtorch computes with (default: one per core)", HelpName = "COUNT" };
    private readonly Option<string?> _resume = new("--resume") { Description = "Go on with an interrupted run, as it was begun; nothing else need be said", HelpName = "RUN" };

    private readonly Option<string?> _from = new("--from")
    {
        Description = "Train a trained model further, on more or other photos: with its head, if it knows all their classes, else with a new one",
        HelpName = "MODEL",
    };

    private readonly Option<bool> _findRate = new("--find-lr")
    {
        Description = "Do not train: try learning rates from 1e-7 to 1 in 100 steps of the last stage, and say and draw which suits",
    };

    private readonly AugmentationOptions _augmentation = new();

    public void AddTo(Command command)
    {
        _strategy.AcceptOnlyFromAmong([.. Strategies.Keys]);
        _head.AcceptOnlyFromAmong([.. Heads.Keys]);
        _schedule.AcceptOnlyFromAmong([.. Schedules.Keys]);
        command.Add(_strategy);
        foreach (var option in Own) command.Add(option);
        command.Add(_views);
        _augmentation.AddTo(command);
        command.Add(_resume);
    }

    /// <summary>Whether the command line asks for more than a classifier of features.</summary>
    public bool IsFineTuning(ParseResult parsed)
    {
        if (parsed.GetValue(_resume) is not null || Strategies[parsed.GetRequiredValue(_strategy)] is not null) return true;
        var names = Own.Where(option => IsGiven(parsed, option)).Select(option => option.Name).ToList();
        return names.Count == 0
            ? false
            : throw new UsageException($"{string.Join(", ", names)} need{(names.Count == 1 ? "s" : "")} --strategy head, finetune, partial, full or scratch.");
    }

    /// <summary>The bank of augmented views that a classifier of features is to train on; null for none.</summary>
    public ViewBank? Views(ParseResult parsed, int seed)
    {
        var isAugmented = _augmentation.All.Any(option => IsGiven(parsed, option));
        if (parsed.GetValue(_views) is { } views) return new(_augmentation.Read(parsed, unless: Augmentation.Light), views, seed);
        return isAugmented
            ? throw new UsageException("Of cached features, augmented views are computed once: say how many of each photo with --views (8, say), or take --strategy head.")
            : null;
    }

    public int Train(Command command, BackboneOptions pretrained, CacheOptions caching, ParseResult parsed, CancellationToken cancellation)
    {
        if (parsed.GetValue(_resume) is not { } path) return Begin(pretrained, caching, parsed, cancellation);
        var run = RunFolder.Open(path);
        if (File.Exists(Path.Combine(path, "result.json")))
        {
            Terminal.Say($"The run in {path} is complete.");
            Console.Out.Write(File.ReadAllText(Path.Combine(path, parsed.GetValue<bool>("--json") ? "result.json" : "report.txt")));
            return Terminal.Done;
        }
        var description = RunDescription.Load(path)
            ?? throw new GraftException($"{path} holds no run.json: it is no run that can be gone on with. Begin a new one.");
        if (description.Options is null)
            throw new GraftException($"The run in {path} has no checkpoints to go on from; its features are kept in the cache. Begin it again: {description.Command()}");
        return Work(run, pretrained, caching, command.Parse([.. description.Arguments]), description, parsed.GetValue<bool>("--json"), cancellation);
    }

    private IEnumerable<Option> Own =>
    [
        _head, _unfreezeFrom, _freeze, _batchNorm, _secondEpochs, _secondRate, _schedule, _warmUp, _lowestRate, _smoothing, _balance, _mixing, _clip,
        _average, _device, _threads, _from, _findRate,
    ];

    private int Begin(BackboneOptions pretrained, CacheOptions caching, ParseResult parsed, CancellationToken cancellation)
    {
        var source = LabeledPhotos.Existing(parsed.GetValue<string>("DIR") ?? throw new UsageException("Name the photos: graft train DIR"));
        _ = Options(parsed);
        var run = RunFolder.Create(
            parsed.GetValue<string>("--out"),
            $"{TrainVerb.SourceName(source)}-{NameOfNetwork(parsed)}-{(parsed.GetValue(_findRate) ? "learning-rates" : parsed.GetValue(_strategy))}");
        try
        {
            return Work(run, pretrained, caching, parsed, description: null, parsed.GetValue<bool>("--json"), cancellation);
        }
        finally
        {
            run.DeleteIfEmpty();
        }
    }

    /// <param name="description">Of a run that is gone on with; null of one that begins.</param>
    private int Work(
        RunFolder run, BackboneOptions pretrained, CacheOptions caching, ParseResult parsed, RunDescription? description, bool json,
        CancellationToken cancellation)
    {
        var options = Options(parsed);
        var source = parsed.GetRequiredValue<string>("DIR");
        var seed = parsed.GetRequiredValue<int>("--seed");
        if (!Path.Exists(source)) throw new GraftException($"The photos are no longer in {source}. Put them back, or begin a new run.");
        using var start = Open(source, pretrained, parsed, options, cancellation);
        var (photos, model) = (start.Photos, start.Model);
        foreach (var note in photos.Notes) Terminal.Note(note);
        var stages = FineTuning.Stages(model, options);
        Terminal.Say($"{source}: {photos.Classes.Count} classes, {photos.Train.Count:N0} images to train on, "
            + $"{photos.Validation.Count:N0} to validate{(photos.ValidationWasSplit ? " (split off)" : "")}, {photos.Test.Count:N0} to test");
        Terminal.Say($"{start.Name}, {model.Network.InputShape} input, strategy {parsed.GetValue(_strategy)}");
        foreach (var stage in stages)
        {
            var training = stage.Options.Training;
            Terminal.Say($"""

                Stage {stage.Number}, {stage.Name}: up to {training.Epochs} epochs, {training.Optimizer}, learning rate {training.LearningRate}, batches of {training.BatchSize}
                {stage.Plan.ToText(everyLayer: parsed.GetValue(Terminal.Verbose))}
                """);
        }
        Terminal.Say("");

        if (parsed.GetValue(_threads) is { } threads) TorchSharp.torch.set_num_threads(threads);
        if (parsed.GetValue(_findRate)) return FindRate(run, start, options, caching, parsed, json, cancellation);
        // Before anything else is, so that an interrupted run can be gone on with.
        if (description is null) run.Save(RunDescription.Of(Arguments(parsed), options));
        using var cache = caching.Open(parsed);
        using var result = Terminal.WithProgress(progress => FineTuningRun.Execute(
            photos, model, options, cache, run, Console.IsErrorRedirected ? new EpochLines(progress) : progress, Terminal.Warn, callbacks: null, cancellation));
        result.Save(run);
        ReportVerb.WriteFor(run, result.Predictions, parsed);
        SkippedFiles.Say(result.Photos.Skipped, Path.Combine(run.FullName, "skipped.csv"));
        SkippedFiles.Say(result.DataCheck, source);
        Console.Out.Write(json ? result.Result() + "\n" : result.Report());
        Terminal.Say($"""

            The run is in {run.FullName}. Next: graft predict {run.FullName} PHOTO.jpg
            """);
        return Terminal.Done;
    }

    /// <summary>Photos, and the network to train on them: a pretrained one with a new head, or a trained model.</summary>
    private Start Open(string source, BackboneOptions pretrained, ParseResult parsed, FineTuningOptions options, CancellationToken cancellation)
    {
        var seed = parsed.GetRequiredValue<int>("--seed");
        var photos = LabeledImages.Load(source, new() { Seed = seed });
        if (parsed.GetValue(_from) is not { } from)
        {
            var whole = pretrained.LoadTrainable(
                parsed.GetRequiredValue<string>("--backbone"), options.Strategy == Strategy.Scratch ? seed : null, parsed, cancellation);
            var features = whole.Head is null ? whole : whole.CutBefore(whole.Head);
            return new(whole.Name, photos, features.Graft(options.Head, photos.Classes, seed), whole);
        }
        var trained = ImageClassifier.Open(from);
        try
        {
            var isKnown = photos.Classes.All(trained.Classes.Contains);
            if (isKnown) photos = LabeledImages.Load(source, new() { Seed = seed, Classes = trained.Classes });
            else Terminal.Note($"{from} does not know all classes of {source}: it gets a new head.");
            return new($"{from} ({trained.BackboneName})", photos, trained.ToTraining(photos.Classes, options.Head, seed), trained);
        }
        catch
        {
            trained.Dispose();
            throw;
        }
    }

    private string NameOfNetwork(ParseResult parsed)
    {
        if (parsed.GetValue(_from) is { } from)
        {
            string[] others = ["--backbone", "--weights", "--size", "--preprocessing", "--layer"];
            if (others.FirstOrDefault(name => IsGiven(parsed, Named(parsed, name))) is { } other)
                throw new UsageException($"--from {from} has its network, weights and input in it: leave {other} out.");
            if (Strategies[parsed.GetRequiredValue(_strategy)] == Strategy.Scratch)
                throw new UsageException("--strategy scratch begins with random weights: leave --from out, or take --strategy full.");
            using var trained = ImageClassifier.Open(from);
            return trained.BackboneName.Split('.')[0];
        }
        var name = parsed.GetRequiredValue<string>("--backbone");
        BackboneOptions.CheckTrainable(name);
        return BackboneOptions.ShortName(name);
    }

    private static int FindRate(
        RunFolder run, Start start, FineTuningOptions options, CacheOptions caching, ParseResult parsed, bool json, CancellationToken cancellation)
    {
        using var cache = caching.Open(parsed);
        var sweep = Terminal.WithProgress(progress => LearningRateFinder.Sweep(
            start.Model, start.Photos, options, new() { Cache = cache, Progress = progress, Warn = Terminal.Warn }, cancellation));
        run.Save(sweep);
        var option = options is { HeadStage: not null, UnfrozenStage: not null } ? "--stage2-learning-rate" : "--learning-rate";
        if (json)
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(
                new { Stage = sweep.Stage.Name, Suggestion = Rounded(sweep.Suggestion), Lowest = sweep.Lowest, Steepest = sweep.Steepest, sweep.Trials }, RunFolder.Json));
        }
        else
        {
            Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
                Stage {sweep.Stage.Number}, {sweep.Stage.Name}: the loss falls most steeply at a learning rate of {sweep.Steepest.LearningRate:0.0e+0} and is lowest at {sweep.Lowest.LearningRate:0.0e+0}.
                Suggestion: {option} {Rounded(sweep.Suggestion):0e+0}
                """));
        }
        Terminal.Say($"Nothing was trained. The chart is {Path.Combine(run.FullName, "learning_rates.png")}.");
        return Terminal.Done;

        static double Rounded(double rate) => double.Parse(rate.ToString("0e+0", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
    }

    /// <exception cref="UsageException">Unsuitable values; all problems together.</exception>
    private FineTuningOptions Options(ParseResult parsed)
    {
        var strategy = Strategies[parsed.GetRequiredValue(_strategy)]!.Value;
        var options = FineTuningOptions.For(strategy);
        var (first, second) = (options.HeadStage, options.UnfrozenStage);
        var augmentation = _augmentation.Read(parsed, unless: (second ?? first)!.Augmentation);
        // Of two stages, the first trains on photos as they are; what is said of the second stands apart.
        if (first is not null && second is not null)
        {
            first = first with { Training = Common(first.Training, parsed, isOnly: true) };
            second = second with { Training = Common(second.Training, parsed, isOnly: false), Augmentation = augmentation };
            second = second with
            {
                Training = second.Training with
                {
                    Epochs = parsed.GetValue(_secondEpochs) ?? second.Training.Epochs,
                    LearningRate = parsed.GetValue(_secondRate) ?? second.Training.LearningRate,
                },
                Views = parsed.GetValue(_views) ?? second.Views,
            };
        }
        else
        {
            if (IsGiven(parsed, _secondEpochs) || IsGiven(parsed, _secondRate))
                throw new UsageException($"The strategy {parsed.GetValue(_strategy)} has one stage: --epochs and --learning-rate are its.");
            StageOptions Only(StageOptions stage) => stage with
            {
                Training = Common(stage.Training, parsed, isOnly: true),
                Augmentation = augmentation,
                Views = parsed.GetValue(_views) ?? stage.Views,
            };
            (first, second) = (first is null ? null : Only(first), second is null ? null : Only(second));
        }
        options = options with
        {
            HeadStage = first,
            UnfrozenStage = second,
            Head = NewHead(parsed, options.Head),
            UnfreezeFrom = parsed.GetValue(_unfreezeFrom),
            Freeze = parsed.GetValue(_freeze),
            BatchNorm = parsed.GetValue(_batchNorm) ?? options.BatchNorm,
            Device = parsed.GetValue(_device) ?? options.Device,
        };
        List<string> problems = [.. options.Problems()];
        if (parsed.GetValue(_threads) is < 1) problems.Add("Expected at least 1 thread.");
        return problems.Count > 0 ? throw new UsageException(string.Join(" ", problems.Distinct())) : options;
    }

    /// <param name="isOnly">Whether epochs, rate and what the recipe sets itself are meant for this stage: not for the second of two.</param>
    private TrainingOptions Common(TrainingOptions training, ParseResult parsed, bool isOnly)
    {
        training = training with
        {
            BatchSize = Given<int>(parsed, "--batch-size") ?? training.BatchSize,
            Seed = Given<int>(parsed, "--seed") ?? training.Seed,
            LabelSmoothing = parsed.GetValue(_smoothing) ?? training.LabelSmoothing,
            Balance = parsed.GetValue(_balance) ?? training.Balance,
        };
        if (isOnly)
        {
            training = training with
            {
                Epochs = Given<int>(parsed, "--epochs") ?? training.Epochs,
                LearningRate = Given<double>(parsed, "--learning-rate") ?? training.LearningRate,
            };
        }
        // What shapes the training of the network itself; a first stage trains its head as a head is trained.
        if (isOnly && Strategies[parsed.GetRequiredValue(_strategy)] == Strategy.FineTune) return training;
        return training with
        {
            Optimizer = Given<OptimizerKind>(parsed, "--optimizer") ?? training.Optimizer,
            WeightDecay = Given<double>(parsed, "--weight-decay") ?? training.WeightDecay,
            Patience = Given<int>(parsed, "--patience") ?? training.Patience,
            Schedule = parsed.GetValue(_schedule) is { } name ? Schedules[name] : training.Schedule,
            WarmUpEpochs = parsed.GetValue(_warmUp) ?? training.WarmUpEpochs,
            LowestLayerRate = parsed.GetValue(_lowestRate) ?? training.LowestLayerRate,
            Mixing = parsed.GetValue(_mixing) ?? training.Mixing,
            MixingAlpha = parsed.GetValue(_mixing) == BatchMixing.CutMix ? 1 : training.MixingAlpha,
            GradientClip = parsed.GetValue(_clip) ?? training.GradientClip,
            AverageDecay = parsed.GetValue(_average) ?? training.AverageDecay,
        };
    }

    private Head NewHead(ParseResult parsed, Head usual)
    {
        var head = parsed.GetValue(_head) is { } name ? Heads[name] : usual;
        return head with
        {
            HiddenUnits = parsed.GetValue<int[]>("--hidden") is { Length: > 0 } hidden ? hidden : head.HiddenUnits,
            Dropout = Given<double>(parsed, "--dropout") ?? head.Dropout,
            BatchNorm = head.BatchNorm && !parsed.GetValue<bool>("--no-batch-norm"),
            Pooling = !IsGiven(parsed, Named(parsed, "--pool")) ? head.Pooling : parsed.GetRequiredValue<string>("--pool") switch
            {
                "max" => HeadPooling.Max,
                "flatten" => HeadPooling.Flatten,
                _ => HeadPooling.Average,
            },
        };
    }

    /// <summary>The command line, with full paths and without the run folder's.</summary>
    internal static string[] Arguments(ParseResult parsed)
    {
        var source = parsed.GetRequiredValue<string>("DIR");
        var arguments = new List<string> { Path.GetFullPath(source) };
        foreach (var result in parsed.CommandResult.Children.OfType<System.CommandLine.Parsing.OptionResult>().Where(result => !result.Implicit))
        {
            if (result.Option.Name is "--out" or "--json" or "--verbose" or "--no-report") continue;
            var values = result.Tokens.Select(token => BackboneOptions.WithFullPath(result.Option.Name, token.Value)).ToList();
            if (values.Count == 0) arguments.Add(result.Option.Name);
            foreach (var value in values) arguments.AddRange([result.Option.Name, value]);
        }
        return [.. arguments];
    }

    private static bool IsGiven(ParseResult parsed, Option option) => parsed.GetResult(option) is { Implicit: false };

    private static T? Given<T>(ParseResult parsed, string option) where T : struct =>
        IsGiven(parsed, Named(parsed, option)) ? parsed.GetValue<T>(option) : null;

    private static Option Named(ParseResult parsed, string option) => parsed.CommandResult.Command.Options.First(known => known.Name == option);

    /// <param name="Name">For a person.</param>
    /// <param name="Owned">Where the model's weights come from.</param>
    private sealed record Start(string Name, LabeledImages Photos, GraftedNetwork Model, IDisposable Owned) : IDisposable
    {
        public void Dispose() => Owned.Dispose();
    }

    /// <summary>Where nobody watches: a line for each epoch, not for each step.</summary>
    private sealed class EpochLines(IProgress<StepProgress> lines) : IProgress<StepProgress>
    {
        public void Report(StepProgress step)
        {
            if (step.Done == step.Total || !step.Step.Contains("poch ", StringComparison.Ordinal)) lines.Report(step);
        }
    }
}
