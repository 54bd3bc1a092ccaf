using System.Globalization;
using Graft.Classifiers;
using Graft.Data;
using Graft.Evaluation;
using Graft.Runs;
using Graft.Training;

namespace Graft.Selection;

/// <summary>
/// From photos and minutes to a model: checks the photos, tries networks, fits the best classifier on the chosen one's features, trains layers of it where
/// that pays and time allows, keeps the better of both by the validation photos, and writes every decision down with its numbers. It may be interrupted at
/// any time; test photos are looked at by the trained models alone, and decide nothing.
/// </summary>
public static class AutoRun
{
    private const string Probe = "probe", QuickProbe = "probe-quick", Trained = "trained";

    /// <summary>Of the time that is left at each step, for trying networks, choosing a classifier, training.</summary>
    private const double TrialShare = 0.35, ProbeShare = 0.5, TrainingShare = 0.8;

    /// <summary>With fewer epochs than these, what is trained is worse than the features.</summary>
    private const int FewestEpochs = 3;

    private static readonly TimeSpan SpeedTime = TimeSpan.FromSeconds(3);

    /// <returns>The run that is kept; its files are in the folder.</returns>
    /// <exception cref="GraftException">Unsuitable photos, or no network could be tried.</exception>
    /// <exception cref="OperationCanceledException">What was done is kept, and the run can be resumed.</exception>
    public static SavedRun Execute(AutoFolder folder, TrialContext context, CancellationToken cancellation = default)
    {
        var request = folder.Request;
        if (request.Problems() is { Count: > 0 } problems) throw new GraftException(string.Join(" ", problems));
        if (folder.IsComplete) return SavedRun.Open(folder.FullName);
        double Left() => 60 * request.Minutes - folder.Seconds;

        if (folder.Find("check") is null) folder.Add(Check(request, context, Left, cancellation));
        if (folder.Find("network") is null) folder.Add(ChooseNetwork(folder, context, Left, cancellation));
        var backbone = (string)Number(folder.Find("network")!, "backbone")!;
        var single = TrialRequest.Parsed(backbone);

        var probe = RunProbe(folder, single, context, Left, cancellation);
        if (folder.Find(Probe) is null) folder.Add(OfProbe(probe));

        if (folder.Find("training") is null) folder.Add(PlanTraining(request, single, probe, context, Left, cancellation));
        SavedRun? trained = null;
        if (folder.Find("training") is { Choice: not "none" } plan)
        {
            var (strategy, epochs) = (Enum.Parse<Strategy>(plan.Choice, ignoreCase: true), Convert.ToInt32(Number(plan, "epochs"), CultureInfo.InvariantCulture));
            var training = new TrainingRequest { Photos = request.Photos, Backbones = single, Strategy = strategy, Seed = request.Seed };
            training = strategy == Strategy.FineTune ? training with { Stage2Epochs = epochs } : training with { Epochs = epochs };
            try
            {
                trained = Run(folder.RunPath(Trained), training, context, [new Deadline(DateTime.UtcNow.AddSeconds(Left() * 0.95))], cancellation);
            }
            catch (Exception problem) when (problem is GraftException or OutOfMemoryException)
            {
                context.Warn?.Invoke($"Training ended: {problem.Message} The classifier on features is kept.");
            }
        }
        var (kept, decision) = Better(probe, trained);
        folder.Add(decision);
        folder.Keep(kept.Folder);
        return SavedRun.Open(folder.FullName);
    }

    /// <summary>The best of several classifiers or, where there is no time to choose, logistic regression.</summary>
    private static SavedRun RunProbe(
        AutoFolder folder, IReadOnlyList<BackboneRequest> backbones, TrialContext context, Func<double> left, CancellationToken cancellation)
    {
        var request = new TrainingRequest { Photos = folder.Request.Photos, Backbones = backbones, Seed = folder.Request.Seed };
        var quick = folder.RunPath(QuickProbe);
        if (!Directory.Exists(quick))
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            limit.CancelAfter(TimeSpan.FromSeconds(Math.Max(1, ProbeShare * left())));
            try
            {
                return Run(folder.RunPath(Probe), request with { Classifier = AutomaticClassifier.CatalogName }, context, [], limit.Token);
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                context.Warn?.Invoke("There is no time to choose among several classifiers: logistic regression is fitted.");
            }
        }
        return Run(quick, request with { Classifier = "logistic" }, context, [], cancellation);
    }

    private static Decision Check(AutoRequest request, TrialContext context, Func<double> left, CancellationToken cancellation)
    {
        var photos = LabeledImages.Load(request.Photos, LabeledImagesOptions.ForChecking);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(TimeSpan.FromSeconds(Math.Max(1, left() / 5)));
        try
        {
            var report = DataCheck.Run(photos, progress: context.Progress, cancellation: limit.Token);
            var (copies, leaks, unreadable) = (report.Duplicates.Sum(group => group.Images.Count - 1), report.Duplicates.Count(group => group.IsLeak), report.Unreadable.Count);
            return new(
                "check", report.IsClean ? "clean" : "problems found",
                Text($"{report.Images.Count:N0} photos of {report.Classes.Count:N0} classes; {unreadable:N0} cannot be read, {copies:N0} are copies, {leaks:N0} of these leak from training into validation or test. Broken ones are left out."),
                Numbers(("images", report.Images.Count), ("classes", report.Classes.Count), ("unreadable", unreadable), ("copies", copies), ("leaks", leaks)));
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return new("check", "not finished", "Checking all photos would take more than a fifth of the time.", Numbers());
        }
    }

    private static Decision ChooseNetwork(AutoFolder folder, TrialContext context, Func<double> left, CancellationToken cancellation)
    {
        using var trials = folder.OpenTrials();
        var run = TrialRun.Execute(folder.Request.Trials, context with { Folder = trials, Limit = TimeSpan.FromSeconds(Math.Max(1, TrialShare * left())) }, cancellation);
        TrialPage.Write(run, Path.Combine(trials.FullName, TrialPage.FileName));
        var best = run.Ranking[0];
        return new(
            "network", best.Trial.Name, TrialText.Verdict(run) + string.Concat(run.Trials.Where(trial => trial.Failure is not null).Select(trial => $" Not tried: {trial.Name}: {trial.Failure}")),
            Numbers(
                ("backbone", best.Trial.Backbone),
                ("tried", run.Ranking.Select(entry => new
                {
                    Network = entry.Trial.Name,
                    entry.Score.Accuracy,
                    AccuracyInterval = entry.Score.Interval,
                    entry.Trial.ImagesPerSecond,
                    entry.PValue,
                    entry.IsAsGoodAsBest,
                }).ToList()),
                ("failures", run.Trials.Where(trial => trial.Failure is not null).Select(trial => new { Network = trial.Name, Reason = trial.Failure }).ToList())));
    }

    private static Decision OfProbe(SavedRun probe) => new(
        Probe, probe.Result.Classifier, Text($"On the frozen features {probe.Result.Classifier} was fitted, {(probe.Result.Fit?.ContainsKey("classifier_candidates") == true ? "chosen among several classifiers by cross-validation" : "without time to choose among several")}; {100 * probe.Validation.Accuracy:0.0} % of the validation photos are classified correctly."),
        Numbers(
            ("accuracy", probe.Validation.Accuracy), ("accuracy_interval", probe.Validation.AccuracyInterval), ("seconds", probe.Result.Seconds.Total),
            ("candidates", probe.Result.Fit?.GetValueOrDefault("classifier_candidates"))));

    private static Decision PlanTraining(
        AutoRequest request, IReadOnlyList<BackboneRequest> backbones, SavedRun probe, TrialContext context, Func<double> left, CancellationToken cancellation)
    {
        Decision None(string reason, params (string, object?)[] numbers) => new("training", "none", reason, Numbers(numbers));
        var (training, validation) = (probe.Result.Images.Train, probe.Result.Images.Validation);
        var ofClass = (double)training / probe.Result.Classes.Count;
        if (backbones.Count > 1) return None("A combination of networks stays frozen.");
        if (ofClass < request.FewestToTrain)
            return None(Text($"{ofClass:0} training photos of a class are too few to train layers of the network with: from {request.FewestToTrain} on it pays."), ("images_of_class", ofClass));
        var photos = LabeledImages.Load(request.Photos, new() { Seed = request.Seed });
        var tried = new List<string>();
        foreach (var strategy in (Strategy[])[Strategy.Partial, Strategy.FineTune])
        {
            if (left() < 4 * SpeedTime.TotalSeconds) break;
            TrainingSpeed speed;
            try
            {
                speed = TrainingSpeed.Measure(backbones[0], photos, strategy, SpeedTime, context, request.Seed, cancellation);
            }
            catch (Exception problem) when (problem is GraftException or OutOfMemoryException)
            {
                tried.Add($"{LowerCase.Policy.ConvertName(strategy.ToString())}: {problem.Message}");
                continue;
            }
            var available = TrainingShare * left();
            var epochs = Math.Min(speed.Epochs, (int)(available / speed.SecondsFor(1, training, validation)));
            var name = LowerCase.Policy.ConvertName(strategy.ToString());
            var measured = Text($"{name} trains {speed.ImagesPerSecond:0.#} photos a second here, {speed.SecondsFor(1, training, validation):0.#} s an epoch");
            if (epochs >= FewestEpochs)
            {
                return new(
                    "training", name, Text($"{measured}: {epochs} epochs take about {Advice.Time(speed.SecondsFor(epochs, training, validation))} of the {Advice.Time(left())} left."),
                    Numbers(("epochs", epochs), ("images_per_second", speed.ImagesPerSecond), ("predicted_seconds", speed.SecondsFor(epochs, training, validation)), ("seconds_left", left())));
            }
            tried.Add(Text($"{measured}, and {FewestEpochs} epochs do not fit into the {Advice.Time(left())} left"));
        }
        return None(tried.Count == 0 ? "There is no time left to train layers of the network." : $"{string.Join(". ", tried)}.", ("seconds_left", left()));
    }

    private static (SavedRun Kept, Decision Decision) Better(SavedRun probe, SavedRun? trained)
    {
        if (trained is null)
            return (probe, new("keep", Probe, "Nothing else was trained.", Numbers(("accuracy", probe.Validation.Accuracy))));
        // By the validation photos: the test photos are for measuring what is kept.
        var (first, second) = (probe.Predictions.Of(PredictionTable.Validation), trained.Predictions.Of(PredictionTable.Validation));
        var others = second.ToDictionary(image => image.Path, image => image.IsCorrect, StringComparer.Ordinal);
        var shared = first.Where(image => others.ContainsKey(image.Path)).ToList();
        var test = McNemarTest.Of([.. shared.Select(image => image.IsCorrect)], [.. shared.Select(image => others[image.Path])]);
        var keepsTrained = test.OnlySecond > test.OnlyFirst;
        var difference = test.PValue < 0.05 ? "hardly by luck" : "which may be luck";
        return (keepsTrained ? trained : probe, new(
            "keep", keepsTrained ? trained.Result.Strategy : Probe,
            test.OnlyFirst == test.OnlySecond
                ? Text($"Both are right on {shared.Count(image => image.IsCorrect):N0} of {shared.Count:N0} validation photos: the simpler is kept.")
                : Text($"Of {shared.Count:N0} validation photos {test.OnlySecond:N0} are right with the trained network only, {test.OnlyFirst:N0} with the classifier on features only, {difference} (McNemar's test, p = {test.PValue:0.####}): the one with more is kept."),
            Numbers(
                ("probe_accuracy", probe.Validation.Accuracy), ("trained_accuracy", trained.Validation.Accuracy), ("only_probe", test.OnlyFirst),
                ("only_trained", test.OnlySecond), ("p_value", test.PValue))));
    }

    /// <summary>Trains, goes on with a training that was interrupted, or opens one that is complete.</summary>
    private static SavedRun Run(
        string path, TrainingRequest request, TrialContext context, IReadOnlyList<ITrainingCallback> callbacks, CancellationToken cancellation)
    {
        var isBegun = Directory.Exists(path) && File.Exists(Path.Combine(path, RunDescription.FileName));
        if (isBegun && RunFolder.Open(path).IsComplete) return SavedRun.Open(path);
        using var folder = isBegun ? RunFolder.Resume(path).Folder : RunFolder.Create(path, Probe);
        using var setup = TrainingSetup.Open(request, context.Fetch);
        using var run = TrainingRun.Execute(
            setup, new() { Cache = context.Cache, Folder = folder, Progress = context.Progress, Warn = context.Warn, Callbacks = callbacks }, cancellation);
        return SavedRun.Open(path);
    }

    private static object? Number(Decision decision, string name) => decision.Numbers.GetValueOrDefault(name) is System.Text.Json.JsonElement element
        ? element.ValueKind == System.Text.Json.JsonValueKind.Number ? element.GetDouble() : element.GetString()
        : decision.Numbers.GetValueOrDefault(name);

    private static Dictionary<string, object?> Numbers(params (string Name, object? Value)[] numbers) =>
        numbers.ToDictionary(number => number.Name, number => number.Value, StringComparer.Ordinal);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>Ends a training after the epoch in which its time is over; the best epoch so far is kept.</summary>
    private sealed class Deadline(DateTime end) : ITrainingCallback
    {
        private DateTime _last = DateTime.UtcNow;

        public void OnEpoch(TrainingProgress training, EpochResult epoch)
        {
            var now = DateTime.UtcNow;
            // Not even begun, if it would end too late.
            if (now + (now - _last) > end) training.Stop();
            _last = now;
        }
    }
}
