using System.Globalization;
using Graft.Classifiers;
using Graft.Data;
using Graft.Data.Collections;
using Graft.Evaluation;
using Graft.Export;
using Graft.Runs;

namespace Graft.Studio;

/// <summary>What an export wrote, and what was verified of it.</summary>
/// <param name="Next">What to do with it: a line to type, or code to copy; empty if nothing.</param>
internal sealed record Exported(string Path, string Verified, string Next);

/// <summary>Takes the result home. The model is trained and measured by the pipeline of the command, on the labels as they are, and exported by the library's export.</summary>
internal sealed class Exports(Project project, TrainingJob jobs, BackboneRequest backbone)
{
    private (int Version, string Folder)? _trained;

    /// <summary>Where an export goes unless a person says otherwise: beside the photos, not among them.</summary>
    public string UsualPath(string target)
    {
        var beside = Path.GetDirectoryName(project.Folder) ?? project.Folder;
        var name = Path.Combine(beside, $"{project.Name}-{(target == "csv" ? "labels.csv" : target)}");
        return WholeFile.FreePaths(name).First(path => !Path.Exists(path));
    }

    /// <param name="target">onnx, csharp, server, web, card, csv or folders.</param>
    /// <param name="path">A new folder or, of csv, a new file.</param>
    /// <param name="isFineTuned">Whether the last finished training is exported, instead of the model that learns along.</param>
    /// <exception cref="GraftException">It cannot be trained, verified or written; nothing is left half-written.</exception>
    public async Task<Exported> WriteAsync(string target, string path, bool isFineTuned, IProgress<StepProgress> progress, CancellationToken cancellation)
    {
        if (!Path.IsPathFullyQualified(path)) throw new GraftException($"Expected the full path of a new {(target == "csv" ? "file" : "folder")}, found '{path}'.");
        if (Path.Exists(path)) throw new GraftException($"{path} is there already, and nothing is overwritten. Name a new one.");
        if (target == "csv") return Csv(path);
        if (target == "folders") return Folders(path, cancellation);
        var folder = isFineTuned ? jobs.Finished() ?? throw new GraftException("There is no finished training to export.") : await TrainAsync(progress, cancellation);
        return await OwnThread.RunAsync(() => Model(target, path, folder, progress, cancellation));
    }

    private async Task<string> TrainAsync(IProgress<StepProgress> progress, CancellationToken cancellation)
    {
        var labeling = project.Labeling;
        if (_trained is { } trained && trained.Version == labeling.Version) return trained.Folder;
        var folder = jobs.NewFolder("model");
        LabelTable.Write(labeling, $"{folder}.csv");
        using var run = await TrainingRun.ExecuteAsync(
            new() { Photos = $"{folder}.csv", Backbones = [backbone], Classifier = QuickFit.Classifier, Refit = true }, folder, progress, cancellation);
        _trained = (labeling.Version, folder);
        return folder;
    }

    private Exported Model(string target, string path, string folder, IProgress<StepProgress> progress, CancellationToken cancellation)
    {
        var run = SavedRun.Open(folder);
        using var model = ImageClassifier.Open(folder);
        EvaluatedImage[] check = [.. run.Predictions.Of(PredictionTable.Validation).Where(image => PhotoFile.Exists(image.Path))];
        var file = target == "web" ? path : Path.Combine(path, $"{OutputFolder.SafeName(project.Name)}.onnx");
        var measured = run.Validation.Confusion;
        var interval = ConfidenceInterval.OfShare(measured.Correct, measured.Total);
        var accuracy = string.Create(CultureInfo.InvariantCulture, $"{measured.Correct:N0} of {measured.Total:N0} photos held out ({100 * interval.Low:0} to {100 * interval.High:0} of 100)");
        var result = model.Export(
            file,
            new()
            {
                For = target == "web" ? ExportTarget.Web : ExportTarget.File,
                CheckPhotos = check.Length > 0 ? [.. check.Select(image => image.Path)] : null,
                CheckLabels = check.Length > 0 ? [.. check.Select(image => image.Label)] : null,
                Facts = new Dictionary<string, string>(StringComparer.Ordinal)
                {
                    ["strategy"] = run.Result.Strategy,
                    ["training photos"] = run.Result.Images.Train.ToString(CultureInfo.InvariantCulture),
                    ["named correctly"] = accuracy,
                },
            },
            progress, cancellation);
        var parity = result.Parity;
        var verified = string.Create(
            CultureInfo.InvariantCulture,
            $"Verified on {parity.Photos:N0} photos: probabilities differ from the trained model's by at most {parity.LargestDifference:0.#####}; {parity.DifferentClasses.Count:N0} {(parity.DifferentClasses.Count == 1 ? "photo is" : "photos are")} named differently. Named correctly: {accuracy}.");
        return new(target == "web" ? path : result.Files[0], verified, target switch
        {
            "csharp" => $"// dotnet add package Graft.Inference\nusing var classifier = Classifier.Open(\"{Path.GetFileName(file)}\");\nvar answer = classifier.Predict(\"photo.jpg\");\nConsole.WriteLine($\"{{answer.Class}} {{answer.Probability:P1}}\");",
            "server" => $"graft serve \"{file}\"",
            "web" => $"Copy {path} to any web server and open its address.",
            "card" => RegularFile.ReadAllText(Path.Combine(path, "MODEL_CARD.md")),
            _ => "",
        });
    }

    private Exported Csv(string path)
    {
        var count = LabelTable.Write(project.Labeling, path);
        var read = LabeledImages.FromCsv(path, LabeledImagesOptions.ForChecking);
        return read.All.Count() == count
            ? new(path, $"Verified: read back, {count:N0} photos of {read.Classes.Count:N0} {(read.Classes.Count == 1 ? "class" : "classes")}.", $"graft train \"{path}\"")
            : throw new GraftException($"{path} was read back with {read.All.Count():N0} photos instead of {count:N0}. Please report this.");
    }

    private Exported Folders(string path, CancellationToken cancellation)
    {
        var labeling = project.Labeling;
        var isDivided = labeling.Photos.Any(photo => photo.Part.Length > 0);
        var folders = new Dictionary<string, ClassFolders>(StringComparer.Ordinal);
        var count = 0;
        try
        {
            for (var number = 0; number < labeling.Photos.Length; number++)
            {
                cancellation.ThrowIfCancellationRequested();
                if (labeling.Labels[number] is not { } label || !PhotoFile.Exists(labeling.Photos[number].Path)) continue;
                var part = !isDivided ? "" : labeling.Photos[number].Part is { Length: > 0 } named ? named : "train";
                if (!folders.TryGetValue(part, out var target)) folders[part] = target = new(Path.Combine(path, part), labeling.Classes);
                if (!target.Add(labeling.Photos[number].Path, label).WasThere) count++;
            }
        }
        catch (Exception problem) when (SaveProblem.Is(problem))
        {
            throw new GraftException($"The folders cannot be written to {path}. {SaveProblem.Words(problem, path)} What was copied stays there.", problem);
        }
        if (count == 0) throw new GraftException("There are no labeled photos to copy.");
        var read = LabeledImages.FromFolder(path, LabeledImagesOptions.ForChecking);
        return new(path, $"Verified: read back, {read.All.Count():N0} photos of {read.Classes.Count:N0} {(read.Classes.Count == 1 ? "class" : "classes")}.", $"graft train \"{path}\"");
    }
}
