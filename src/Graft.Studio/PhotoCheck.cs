using Graft.Data;

namespace Graft.Studio;

/// <summary>What <see cref="DataCheck"/> found, by photo id.</summary>
/// <param name="Problems">A sentence for each photo with a problem.</param>
/// <param name="Copies">Photos that show one photo, group after group.</param>
internal sealed record PhotoProblems(IReadOnlyDictionary<string, string> Problems, IReadOnlyList<string> Copies);

/// <summary>Checks a project's photos when it is asked to, once for each state of the labels.</summary>
internal sealed class PhotoCheck(Project project, Action changed) : IDisposable
{
    private const string NoClass = "(no class)";

    private readonly CancellationTokenSource _end = new();
    private int _isBusy;
    private Task _work = Task.CompletedTask;

    public PhotoProblems? Current { get; private set; }

    public StepProgress? Progress { get; private set; }

    public string? Problem { get; private set; }

    public bool IsBusy => Volatile.Read(ref _isBusy) != 0;

    public void Start()
    {
        if (Interlocked.Exchange(ref _isBusy, 1) != 0) return;
        _work = OwnThread.RunAsync(() =>
        {
            try
            {
                Current = Run();
                Problem = null;
            }
            catch (OperationCanceledException)
            {
                // The project is closed.
            }
            catch (Exception problem) when (problem is GraftException or IOException or UnauthorizedAccessException)
            {
                Problem = $"The photos could not be checked: {problem.Message}";
            }
            finally
            {
                Progress = null;
                Volatile.Write(ref _isBusy, 0);
                changed();
            }
            return true;
        });
    }

    public void Dispose()
    {
        _end.Cancel();
        _work.Wait();
        _end.Dispose();
    }

    private PhotoProblems Run()
    {
        var labeling = project.Labeling;
        var problems = new Dictionary<string, string>(StringComparer.Ordinal);
        if (labeling.Photos.IsEmpty) return new(problems, []);
        var images = LabeledImages.Of(
            labeling.Photos.Select((photo, number) => (ImageSource.FromFile(photo.Path), labeling.Labels[number] ?? NoClass)), options: LabeledImagesOptions.ForChecking);
        var report = DataCheck.Run(images, progress: new Relay(step =>
        {
            Progress = step;
            changed();
        }), cancellation: _end.Token);
        string Id(string path) => Photo.IdOf(PhotoSources.PlaceOf(path, project.Folder));
        foreach (var file in report.Unreadable) problems[Id(file.Path)] = $"Cannot be read: {file.Reason}.";
        foreach (var flawed in report.Flawed) problems.TryAdd(Id(flawed.Image.Path), Words(flawed));
        foreach (var group in report.Duplicates)
        {
            var isContradiction = group.Images.Select(image => image.Class).Where(name => name != NoClass).Distinct().Skip(1).Any();
            foreach (var image in group.Images.Skip(isContradiction ? 0 : 1))
            {
                problems.TryAdd(Id(image.Path), isContradiction
                    ? $"The same photo is in {string.Join(" and in ", group.Images.Select(other => other.Class).Distinct())}."
                    : $"A copy of {Path.GetFileName(group.Images[0].Path)}.");
            }
        }
        return new(problems, [.. report.Duplicates.SelectMany(group => group.Images.Select(image => Id(image.Path)))]);
    }

    private static string Words(FlawedImage flawed) => flawed.Flaw switch
    {
        ImageFlaw.Blank => "Blank: hardly anything is on it.",
        ImageFlaw.Dark => "Nearly black.",
        ImageFlaw.Blurred => "Blurred.",
        ImageFlaw.Tiny => $"Tiny: {flawed.Detail}.",
        _ => $"An odd shape: {flawed.Detail}.",
    };

    private sealed class Relay(Action<StepProgress> report) : IProgress<StepProgress>
    {
        private long _last;

        public void Report(StepProgress value)
        {
            // Told of every photo, while a page follows some a second.
            if (Environment.TickCount64 - _last < 200) return;
            _last = Environment.TickCount64;
            report(value);
        }
    }
}
