using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Graft.Classifiers;
using Graft.Data;
using Graft.Runs;

namespace Graft.Cli.Verbs;

/// <summary>What is said of one photo.</summary>
/// <param name="Prediction">All classes and how probable they are.</param>
/// <param name="IsUnsure">Whether the most probable one is less probable than was asked for.</param>
/// <param name="SortedTo">Where the photo lies in the folders of classes; null without them.</param>
internal sealed record Answer(Prediction Prediction, bool IsUnsure, string? SortedTo)
{
    public const string Unsure = "unsure", Unlike = "unlike";

    /// <summary>Instead of its class: that it is none of the classes, or may be another; null where the class is meant.</summary>
    public string? Doubt => Prediction.IsUnlike ? Unlike : IsUnsure ? Unsure : null;
}

/// <summary>How many photos went where.</summary>
internal sealed record SortingSummary(string Folder, IReadOnlyDictionary<string, int> Copied, int AlreadyThere);

/// <summary>Predictions on standard output, photo by photo as they come, so that memory does not grow with them.</summary>
/// <param name="top">How many classes are named for each photo.</param>
/// <param name="doubts">Whether a photo can be unsure, or unlike the training photos.</param>
internal abstract class PredictionOutput(int top, PredictionOutput.Doubts doubts) : IDisposable
{
    /// <param name="Unsure">Less probable than asked for.</param>
    /// <param name="Unlike">Unlike the training photos.</param>
    public readonly record struct Doubts(bool Unsure, bool Unlike);

    protected int Top => top;

    protected bool HasThreshold => doubts.Unsure;

    protected bool HasNovelty => doubts.Unlike;

    public abstract void Write(IReadOnlyList<Answer> answers);

    /// <param name="skipped">What could not be predicted.</param>
    /// <param name="sorting">Null where no photos are copied.</param>
    public abstract void End(IReadOnlyList<SkippedFile> skipped, SortingSummary? sorting);

    public abstract void Dispose();

    public static PredictionOutput Text(int top) => new Lines(top);

    public static PredictionOutput Json(int top, Doubts doubts) => new Document(top, doubts);

    public static PredictionOutput Csv(int top, Doubts doubts, bool isSorting) => new Table(top, doubts, isSorting);

    private sealed class Lines(int top) : PredictionOutput(top, default)
    {
        private int _width;

        public override void Write(IReadOnlyList<Answer> answers)
        {
            var names = answers.Select(answer => Terminal.OnOneLine(answer.Prediction.Path)).ToList();
            _width = names.Select(name => name.Length).Append(_width).Max();
            foreach (var (answer, name) in answers.Zip(names))
            {
                var classes = string.Join(", ", answer.Prediction.Ranking.Take(Top).Select(entry =>
                    string.Create(CultureInfo.InvariantCulture, $"{entry.Class} {100 * entry.Probability:0.0} %")));
                Console.Out.WriteLine($"{name.PadRight(_width)}  {(answer.Doubt is { } doubt ? $"{doubt}: " : "")}{classes}");
            }
        }

        public override void End(IReadOnlyList<SkippedFile> skipped, SortingSummary? sorting)
        {
            // Both have been said on standard error.
        }

        public override void Dispose()
        {
            // Nothing is held.
        }
    }

    private sealed class Document : PredictionOutput
    {
        private readonly ArrayBufferWriter<byte> _buffer = new();
        private readonly Utf8JsonWriter _json;
        private State _state;

        private enum State
        {
            New,
            Begun,
            Ended,
        }

        public Document(int top, Doubts doubts) : base(top, doubts)
        {
            _json = new(_buffer, new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        }

        private void Begin()
        {
            if (_state != State.New) return;
            _state = State.Begun;
            _json.WriteStartObject();
            _json.WriteStartArray("predictions");
        }

        public override void Write(IReadOnlyList<Answer> answers)
        {
            Begin();
            foreach (var (prediction, isUnsure, sortedTo) in answers)
            {
                _json.WriteStartObject();
                _json.WriteString("path", prediction.Path);
                if (HasThreshold) _json.WriteBoolean("unsure", isUnsure);
                if (prediction.Unlikeness is { } unlikeness)
                {
                    _json.WriteBoolean("unlike", prediction.IsUnlike);
                    _json.WriteNumber("unlikeness", unlikeness);
                }
                if (sortedTo is not null) _json.WriteString("sorted_to", sortedTo);
                _json.WritePropertyName("classes");
                JsonSerializer.Serialize(_json, prediction.Ranking.Take(Top), RunFolder.Json);
                _json.WriteEndObject();
            }
            Print();
        }

        public override void End(IReadOnlyList<SkippedFile> skipped, SortingSummary? sorting)
        {
            Begin();
            _state = State.Ended;
            _json.WriteEndArray();
            _json.WritePropertyName("skipped");
            JsonSerializer.Serialize(_json, skipped, RunFolder.Json);
            if (sorting is not null)
            {
                _json.WritePropertyName("sorted");
                JsonSerializer.Serialize(_json, sorting, RunFolder.Json);
            }
            _json.WriteEndObject();
            Print();
            Console.Out.WriteLine();
        }

        public override void Dispose()
        {
            // After an error the document is whole all the same, and says that answers are missing.
            if (_state == State.Begun)
            {
                _json.WriteEndArray();
                _json.WriteBoolean("incomplete", true);
                _json.WriteEndObject();
                Print();
                Console.Out.WriteLine();
            }
            _json.Dispose();
        }

        private void Print()
        {
            _json.Flush();
            Console.Out.Write(Encoding.UTF8.GetString(_buffer.WrittenSpan));
            _buffer.ResetWrittenCount();
        }
    }

    private sealed class Table(int top, Doubts doubts, bool isSorting) : PredictionOutput(top, doubts)
    {
        private readonly CsvFile _csv = CsvFile.ForOutput(
            Console.OpenStandardOutput(),
            [
                "path",
                .. Enumerable.Range(1, top).SelectMany(rank => rank == 1 ? (string[])["class", "probability"] : [$"class_{rank}", $"probability_{rank}"]),
                .. doubts.Unsure ? (string[])["unsure"] : [], .. doubts.Unlike ? (string[])["unlike"] : [], .. isSorting ? (string[])["sorted_to"] : [],
            ]);

        public override void Write(IReadOnlyList<Answer> answers)
        {
            foreach (var (prediction, isUnsure, sortedTo) in answers)
            {
                _csv.Add([
                    prediction.Path, .. prediction.Ranking.Take(Top).SelectMany(entry => (object?[])[entry.Class, entry.Probability]),
                    .. HasThreshold ? (object?[])[isUnsure ? "true" : "false"] : [], .. HasNovelty ? (object?[])[prediction.IsUnlike ? "true" : "false"] : [], .. isSorting ? (object?[])[sortedTo] : []]);
            }
            _csv.Flush();
        }

        public override void End(IReadOnlyList<SkippedFile> skipped, SortingSummary? sorting) => _csv.Flush();

        public override void Dispose() => _csv.Dispose();
    }
}
