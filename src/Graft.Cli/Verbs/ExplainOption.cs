using System.CommandLine;
using Graft.Classifiers;
using Graft.Data.Collections;
using Graft.Evaluation;
using Graft.Imaging;

namespace Graft.Cli.Verbs;

/// <summary>The option that writes a heat map of each predicted photo.</summary>
internal sealed class ExplainOption
{
    /// <summary>On the longer side; a photo is not enlarged.</summary>
    private const int MostPixels = 1024;

    private readonly Option<string?> _explain = new("--explain")
    {
        Description = "Write a heat map of the regions that support the class of each photo (Grad-CAM) to this folder, as PNG",
        HelpName = "DIR",
    };

    public void AddTo(Command command) => command.Add(_explain);

    /// <summary>Where heat maps are written to; null if they were not asked for.</summary>
    /// <exception cref="UsageException">It is a file.</exception>
    public string? Folder(ParseResult parsed) => parsed.GetValue(_explain) is { } folder && File.Exists(folder)
        ? throw new UsageException($"{_explain.Name} {folder} is a file. Name a folder, new or not.")
        : parsed.GetValue(_explain);

    /// <summary>Null if it was not asked for.</summary>
    /// <exception cref="GraftException">There are no heat maps of such a model.</exception>
    public HeatMaps? Begin(ParseResult parsed, AnsweringModel model) =>
        parsed.GetValue(_explain) is not { } folder ? null
        : model.Trained is { } trained ? new(folder, trained)
        : throw new UsageException($"{_explain.Name} needs the layers of the trained model, and an exported file has no heat maps. Name the run that it was exported from.");

    /// <summary>Heat maps of photos, as PNG files in a folder; in the end says how many.</summary>
    internal sealed class HeatMaps(string folder, ImageClassifier classifier) : IDisposable
    {
        private readonly GradCam _explanation = new(classifier);
        private readonly ILookup<string, int> _classes =
            classifier.Classes.Select((name, index) => (name, index)).ToLookup(pair => pair.name, pair => pair.index);
        private int _written, _blank;

        /// <summary>Writes a picture for each photo, under its name or, where that is taken, with a number.</summary>
        /// <exception cref="GraftException">The folder cannot be written.</exception>
        public void Write(IReadOnlyList<Prediction> predictions, CancellationToken cancellation)
        {
            try
            {
                Directory.CreateDirectory(folder);
                foreach (var prediction in predictions)
                {
                    cancellation.ThrowIfCancellationRequested();
                    var photo = PhotoFile.Decode(prediction.Path);
                    var map = _explanation.Explain(photo, _classes[prediction.Class].First());
                    if (map.IsBlank) _blank++;
                    var name = Path.GetFileNameWithoutExtension(prediction.Path);
                    WholeFile.Write(FreePath(name), ContactSheet.ToPng(map.Over(Resampler.Shrink(photo, MostPixels))).AsMemory());
                    _written++;
                }
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                throw new GraftException($"Heat maps cannot be written to {folder}: {problem.Message} Name another folder with --explain.", problem);
            }
        }

        public void Dispose()
        {
            if (_written > 0) Terminal.Say($"{_written:N0} {(_written == 1 ? "heat map is" : "heat maps are")} in {folder}.");
            if (_blank > 0) Terminal.Note($"{_blank:N0} of them {(_blank == 1 ? "is" : "are")} blank: no region supports the class; the other classes merely have less support.");
            _explanation.Dispose();
        }

        private string FreePath(string name)
        {
            for (var number = 1; ; number++)
            {
                var path = new OutputFolder(folder).PathOf(number == 1 ? $"{name}.png" : $"{name}-{number}.png");
                if (!Path.Exists(path)) return path;
            }
        }
    }
}
