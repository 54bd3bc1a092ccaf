using Graft.Export;
using Graft.Imaging;
using Graft.Inference;
using ImageClassifier = Graft.Classifiers.ImageClassifier;

namespace Graft.Cli.Serve;

/// <summary>
/// The exported model that a server answers with. When its file is replaced, the new one is opened beside it and takes over; requests that
/// the old one is working on finish with it.
/// </summary>
internal sealed class ServedModel : IDisposable
{
    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);

    private readonly string _path;
    private readonly Func<ImageClassifier>? _open;
    private readonly ClassifierOptions _options;
    private readonly Timer _timer;
    private readonly Lock _reloading = new();
    private Classifier _current;
    private (DateTime Written, long Length) _state;
    private (DateTime Written, long Length) _refused;

    /// <param name="path">An exported file, a trained model, or the folder of a run.</param>
    /// <param name="open">Opens what is not an exported file, which is exported then; null for a file.</param>
    /// <exception cref="GraftException">The model cannot be exported.</exception>
    /// <exception cref="ModelException">The model cannot be opened, or is not for the device.</exception>
    /// <exception cref="DeviceException">The device cannot be used.</exception>
    public ServedModel(string path, Func<ImageClassifier>? open, DecodingOptions decoding, InferenceDevice device = InferenceDevice.Cpu)
    {
        // Photos are predicted side by side, so each takes one thread.
        (_path, _open, _options) = (path, open, new() { Threads = 1, Decoding = decoding, Device = device });
        _state = State();
        _current = Load();
        _timer = new(_ => ReloadIfChanged(), null, Poll, Poll);
    }

    public Classifier Current => Volatile.Read(ref _current);

    /// <summary>How often a replaced file took over.</summary>
    public int Reloads { get; private set; }

    /// <summary>Predicts with the current model, and with its successor where that takes over at this moment.</summary>
    public (Classifier Model, Prediction Prediction) Predict(Func<Classifier, Prediction> predict)
    {
        while (true)
        {
            var model = Current;
            try
            {
                return (model, predict(model));
            }
            catch (ObjectDisposedException) when (model != Current)
            {
                // It was replaced between the two lines above.
            }
        }
    }

    public void Dispose()
    {
        _timer.Dispose();
        lock (_reloading) _current.Dispose();
    }

    private void ReloadIfChanged()
    {
        if (!_reloading.TryEnter()) return;
        try
        {
            var state = State();
            // Twice the same: whoever writes it has finished.
            if (state == _state || state.Length == 0 || state == _refused) return;
            Thread.Sleep(Poll / 4);
            if (State() != state) return;
            try
            {
                var next = Load();
                var before = Interlocked.Exchange(ref _current, next);
                _state = state;
                Reloads++;
                before.Dispose();
                Terminal.Say($"{_path} was replaced: the new model answers now.");
            }
            catch (Exception problem) when (problem is GraftException or ModelException or DeviceException or IOException or UnauthorizedAccessException)
            {
                _refused = state;
                Terminal.Warn($"{_path} was replaced, but the new file cannot be served, and the old model goes on answering: {problem.Message}");
            }
        }
        finally
        {
            _reloading.Exit();
        }
    }

    private (DateTime Written, long Length) State()
    {
        var file = new FileInfo(Directory.Exists(_path) ? Path.Combine(_path, "model.safetensors") : _path);
        return file.Exists ? (file.LastWriteTimeUtc, file.Length) : default;
    }

    private Classifier Load()
    {
        if (_open is null) return Classifier.Open(_path, _options);
        var folder = Directory.CreateTempSubdirectory("graft-serve-");
        try
        {
            using var trained = _open();
            var file = trained.Export(Path.Combine(folder.FullName, "model.onnx")).Files[0];
            return Classifier.Open(file, _options);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
