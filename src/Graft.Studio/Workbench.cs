using System.Collections.Concurrent;
using System.Threading.Channels;
using Graft.Runs;

namespace Graft.Studio;

/// <summary>An open project with all that works on it.</summary>
internal sealed class OpenProject : IDisposable
{
    public OpenProject(Project project, BackboneRequest backbone, Action changed)
    {
        Project = project;
        project.Changed += changed;
        Learner = new(project, backbone, changed);
        Check = new(project, changed);
        Jobs = new(project, changed);
        Exports = new(project, Jobs, backbone);
        Suggestions = new(project, Learner.Features);
    }

    public Project Project { get; }

    public Learner Learner { get; }

    public PhotoCheck Check { get; }

    public TrainingJob Jobs { get; }

    public Exports Exports { get; }

    public LabelSuggestions Suggestions { get; }

    /// <summary>One export or training for it at a time.</summary>
    public SemaphoreSlim Exporting { get; } = new(1);

    public StepProgress? ExportProgress { get; set; }

    public IReadOnlyList<int>? View(string name) => PhotoViews.Of(name, Project.Labeling, Learner.Current, Check.Current);

    public void Dispose()
    {
        Jobs.Dispose();
        Check.Dispose();
        Learner.Dispose();
        Project.Dispose();
        Exporting.Dispose();
    }
}

/// <summary>The studio: at most one open project, and the windows that look at it.</summary>
/// <param name="home">The folder in which new projects are made.</param>
internal sealed class Workbench(string home, BackboneRequest backbone) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<Channel<bool>, bool> _windows = new();
    private OpenProject? _open;
    private Thumbnails? _thumbnails;

    public Thumbnails Thumbnails => LazyInitializer.EnsureInitialized(ref _thumbnails, () => new(Tell));

    public string Home => home;

    public OpenProject? Current => Volatile.Read(ref _open);

    /// <summary>What is being opened; null if nothing is.</summary>
    public string? Opening { get; private set; }

    /// <summary>Why the folder that was named at the start is not open; null if it is.</summary>
    public string? Problem { get; private set; }

    /// <summary>Opens a folder or table in place of the one that is open.</summary>
    /// <exception cref="GraftException">It cannot be opened; the one that is open stays open.</exception>
    public void Open(string source)
    {
        lock (_gate)
        {
            if (Current is { } open && open.Project.Source == Path.GetFullPath(source)) return;
            (Opening, Problem) = (source, null);
            Tell();
            try
            {
                var project = Project.Open(source);
                var before = Current;
                Volatile.Write(ref _open, new(project, backbone, Tell));
                RecentProjects.Add(project.Source);
                before?.Dispose();
            }
            finally
            {
                Opening = null;
                Tell();
            }
        }
    }

    /// <summary>The same without an exception, for the start of the server.</summary>
    public void OpenOrExplain(string source)
    {
        try
        {
            Open(source);
        }
        catch (GraftException problem)
        {
            Problem = problem.Message;
            Tell();
        }
    }

    /// <summary>Makes a new, empty project.</summary>
    /// <exception cref="GraftException">There is a folder of that name, or it cannot be made.</exception>
    public void Create(string name)
    {
        var folder = new OutputFolder(home).PathOf(OutputFolder.SafeName(name));
        if (Path.Exists(folder)) throw new GraftException($"{folder} is there already. Choose another name, or open that folder.");
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new GraftException($"{folder} cannot be made: {problem.Message} Start the studio in a folder of your own.", problem);
        }
        Open(folder);
    }

    /// <summary>Tells every window that something has changed.</summary>
    public void Tell()
    {
        foreach (var window in _windows.Keys) window.Writer.TryWrite(true);
    }

    /// <summary>A window's ear: holds something where there is news.</summary>
    public Channel<bool> Listen()
    {
        var window = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        _windows[window] = true;
        window.Writer.TryWrite(true);
        return window;
    }

    public void Leave(Channel<bool> window) => _windows.TryRemove(window, out _);

    public void Dispose()
    {
        lock (_gate) Current?.Dispose();
        Thumbnails.Dispose();
    }
}
