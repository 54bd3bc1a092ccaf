using System.Globalization;
using Graft.Backbones;
using Graft.Evaluation;
using Graft.Runs;

namespace Graft.Studio;

/// <summary>A finished epoch of a training, for the curves.</summary>
internal sealed record CurvePoint(string Step, double Loss, double? Validation);

/// <summary>How a training goes, for the page.</summary>
internal sealed record TrainingJobState(
    bool IsBusy, string? Folder, StepProgress? Progress, string? TimeLeft, IReadOnlyList<CurvePoint> Curve, string? Sentence, string? Problem, string? Interrupted);

/// <summary>
/// Trainings that take minutes, in run folders of the project: one at a time, canceled and resumed. The run folder is what the command writes, and the command can resume it too.
/// </summary>
internal sealed class TrainingJob(Project project, Action changed) : IDisposable
{
    private readonly Lock _gate = new();
    private CancellationTokenSource? _cancellation;
    private Task _work = Task.CompletedTask;
    private TrainingJobState _state = new(false, null, null, null, [], null, null, null);

    public TrainingJobState State => Volatile.Read(ref _state) with { Interrupted = Interrupted() };

    /// <summary>Starts a training of the labeled photos.</summary>
    /// <param name="request">Without photos.</param>
    /// <exception cref="GraftException">Another training is under way, or the labels cannot be written.</exception>
    public void Start(TrainingRequest request)
    {
        if (request.Problems() is { Count: > 0 } problems) throw new RequestException(problems);
        foreach (var network in request.Backbones!.Where(network => !BackboneRequests.IsOnnx(network.Name))) _ = BackboneCatalog.Find(network.Name);
        var folder = NewFolder("training");
        var table = $"{folder}.csv";
        Begin(folder, (progress, cancellation) =>
        {
            LabelTable.Write(project.Labeling, table);
            return TrainingRun.ExecuteAsync(request with { Photos = table }, folder, progress, cancellation);
        });
    }

    /// <summary>Resumes the training that was interrupted last.</summary>
    /// <exception cref="GraftException">There is none, or another training is under way.</exception>
    public void Resume()
    {
        var name = Interrupted() ?? throw new GraftException("There is no interrupted training to resume.");
        Begin(project.Own(Path.Combine("runs", name)), (progress, cancellation) => TrainingRun.ResumeAsync(project.Own(Path.Combine("runs", name)), progress, cancellation));
    }

    /// <exception cref="GraftException">No training is under way.</exception>
    public void Cancel()
    {
        lock (_gate)
        {
            if (!_state.IsBusy) throw new GraftException("No training is under way, so there is none to cancel.");
            _cancellation!.Cancel();
        }
    }

    /// <summary>A folder for a run that does not exist yet.</summary>
    public string NewFolder(string name)
    {
        project.BeginKeeping();
        try
        {
            Directory.CreateDirectory(project.Own("runs"));
        }
        catch (Exception problem) when (SaveProblem.Is(problem))
        {
            throw new GraftException($"No folder for the training can be made. {SaveProblem.Words(problem, project.Folder)} No label is lost.", problem) { Code = "not-saved" };
        }
        return Enumerable.Range(1, int.MaxValue).Select(number => project.Own(Path.Combine("runs", $"{name}-{number}"))).First(folder => !Path.Exists(folder) && !Path.Exists($"{folder}.csv"));
    }

    /// <summary>The newest finished training; null if there is none.</summary>
    public string? Finished() => Runs().LastOrDefault(folder => File.Exists(Path.Combine(folder, RunFolder.ResultFile)));

    public void Dispose()
    {
        lock (_gate) _cancellation?.Cancel();
        try
        {
            _work.Wait();
        }
        catch (AggregateException)
        {
            // Said in the state.
        }
        _cancellation?.Dispose();
    }

    private IEnumerable<string> Runs() => Directory.Exists(project.Own("runs"))
        ? Directory.EnumerateDirectories(project.Own("runs"), "training-*").OrderBy(folder => Directory.GetCreationTimeUtc(folder))
        : [];

    private string? Interrupted() => Volatile.Read(ref _state).IsBusy ? null
        : Runs().LastOrDefault(folder => File.Exists(Path.Combine(folder, RunDescription.FileName)) && !File.Exists(Path.Combine(folder, RunFolder.ResultFile))) is { } run
            ? Path.GetFileName(run)
            : null;

    private void Begin(string folder, Func<IProgress<StepProgress>, CancellationToken, Task<TrainingRun>> train)
    {
        lock (_gate)
        {
            if (_state.IsBusy) throw new GraftException("A training is under way already. Wait for it, or cancel it.");
            _cancellation?.Dispose();
            _cancellation = new();
            Volatile.Write(ref _state, new(true, folder, null, null, [], null, null, null));
            var cancellation = _cancellation.Token;
            _work = Task.Run(() => RunAsync(train, cancellation), CancellationToken.None);
        }
        changed();
    }

    private async Task RunAsync(Func<IProgress<StepProgress>, CancellationToken, Task<TrainingRun>> train, CancellationToken cancellation)
    {
        try
        {
            using var run = await train(new Follower(this), cancellation);
            var measured = run.Validation;
            var interval = ConfidenceInterval.OfShare(measured.Confusion.Correct, measured.Confusion.Total);
            Set(state => state with
            {
                IsBusy = false,
                Progress = null,
                // Of one that was resumed, the epochs before the interruption too.
                Curve = [.. run.Stages.SelectMany(stage => stage.History.Epochs.Select(epoch => new CurvePoint(stage.Stage.Name, epoch.Loss, epoch.ValidationAccuracy)))],
                Sentence = string.Create(
                    CultureInfo.InvariantCulture,
                    $"{100.0 * measured.Confusion.Correct / measured.Confusion.Total:0} of 100 of the {measured.Confusion.Total:N0} photos held out are named correctly ({100 * interval.Low:0} to {100 * interval.High:0})."),
            });
        }
        catch (OperationCanceledException)
        {
            Set(state => state with { IsBusy = false, Progress = null, Problem = "Canceled. What was trained is kept: resume it when you like." });
        }
        catch (GraftException problem)
        {
            Fail(problem.Message);
        }
        catch (Exception problem) when (SaveProblem.Is(problem))
        {
            Fail($"The training has ended early. {SaveProblem.Words(problem, project.Folder)}");
        }
    }

    private void Fail(string reason) => Set(state => state with { IsBusy = false, Progress = null, Problem = $"{reason} No label is lost." });

    private void Set(Func<TrainingJobState, TrainingJobState> change)
    {
        lock (_gate) Volatile.Write(ref _state, change(_state));
        changed();
    }

    private sealed class Follower(TrainingJob job) : IProgress<StepProgress>
    {
        public void Report(StepProgress value) => job.Set(state => state with
        {
            Progress = value,
            TimeLeft = value.Training?.TimeLeft is { } left ? left.TotalSeconds < 90 ? $"{left.TotalSeconds:0} seconds" : $"{left.TotalMinutes:0} minutes" : null,
            Curve = value.Training is { ValidationAccuracy: { } accuracy } measures ? [.. state.Curve, new(value.Step, measures.Loss, accuracy)] : state.Curve,
        });
    }
}
