namespace Graft.Studio;

/// <summary>What every window shows of the moment, as JSON.</summary>
internal static class StudioState
{
    /// <summary>Classes with fewer photos have too few to learn from, and to measure on.</summary>
    public const int TooFew = 10;

    public static object Of(Workbench workbench)
    {
        if (workbench.Current is not { } open)
            return new { Project = (object?)null, workbench.Home, Recent = RecentProjects.All(), workbench.Opening, workbench.Problem };
        var (project, now, learned, job) = (open.Project, open.Project.Labeling, open.Learner.Current, open.Jobs.State);
        var last = project.Journal.LastInForce;
        return new
        {
            Project = new { project.Name, project.Folder, project.IsTable, Notes = Notes(workbench, open) },
            workbench.Home,
            Recent = RecentProjects.All(),
            workbench.Opening,
            workbench.Problem,
            now.Version,
            Photos = now.Photos.Length,
            Classes = now.Counts().Select(count => new { count.Name, count.Photos, TooFew = count.Photos < TooFew }),
            Unlabeled = now.Labels.Count(label => label is null),
            Undo = last is null ? null : Words(last),
            Check = new { open.Check.IsBusy, Progress = Progress(open.Check.Progress), open.Check.Problem, Problems = open.Check.Current?.Problems.Count },
            Learner = new { open.Learner.State.IsBusy, Progress = Progress(open.Learner.State.Progress), open.Learner.State.Problem, open.Learner.State.Waiting },
            Learned = learned is null ? null : new
            {
                learned.Sentence,
                learned.Classes,
                learned.Judged.Count,
                learned.Correct,
                learned.Seconds,
                learned.IsPart,
                IsCurrent = learned.From.Version == now.Version,
                HasInsights = learned.Insights is not null,
                learned.From.Version,
            },
            Labeling = open.Suggestions.Report(learned),
            Job = new
            {
                job.IsBusy,
                Progress = Progress(job.Progress),
                job.TimeLeft,
                job.Curve,
                job.Sentence,
                job.Problem,
                job.Interrupted,
                HasFinished = open.Jobs.Finished() is not null,
            },
            Export = Progress(open.ExportProgress),
            ToApply = FolderMoves.Moves(project).Count,
            CanUndoApply = FolderMoves.CanUndo(project),
            open.Learner.Features.Backbone.Name,
        };
    }

    private static IReadOnlyList<string> Notes(Workbench workbench, OpenProject open) =>
        [.. open.Project.Notes, .. new[] { workbench.Thumbnails.Problem, open.Learner.Features.Problem }.OfType<string>()];

    private static object? Progress(StepProgress? step) => step is null ? null : new { step.Step, step.Done, step.Total, step.Unit, step.Note };

    private static string Words(JournalEntry entry) => entry.Action switch
    {
        JournalAction.Keep => "keeping the label",
        JournalAction.AddClass => $"the new class {entry.Class}",
        _ => $"{(entry.Photos.Count == 1 ? "1 photo" : $"{entry.Photos.Count:N0} photos")} → {entry.Class ?? "no class"}",
    };
}
