using System.Diagnostics;
using Graft.Classifiers;
using Graft.Evaluation;
using Graft.Networks;
using Graft.Runs;
using Graft.Training;

namespace Graft.Studio;

/// <summary>What the learner is doing, for the page.</summary>
/// <param name="Waiting">Photos that it has not seen, where it waits for a go-ahead because they are many; else 0.</param>
internal sealed record LearnerState(bool IsBusy, StepProgress? Progress, string? Problem, int Waiting);

/// <summary>
/// Learns again whenever labels change: takes the features of photos from the cache, judges each labeled photo by cross-validation, and fits a classifier on all.
/// Runs on a thread of its own.
/// </summary>
internal sealed class Learner : IDisposable
{
    /// <summary>More unseen photos than these, some minutes' work, are not looked at unasked.</summary>
    private const int UnseenUnasked = 5000;

    /// <summary>Of more labeled photos so many are learned from, evenly spread over each class: a model that learns along is to take seconds and little memory. An export learns from all.</summary>
    private const int MostLabeled = 10_000, FewestOfClass = 10;

    /// <summary>Of more unlabeled photos so many are guessed, evenly spread.</summary>
    private const int MostUnlabeled = 20_000;

    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(120);

    private readonly Project _project;
    private readonly Action _changed;
    private readonly Lock _explaining = new();
    private readonly SemaphoreSlim _signal = new(0);
    private readonly CancellationTokenSource _end = new();
    private readonly Task _work;
    private CancellationTokenSource _current = new();
    private LearnerState _state = new(false, null, null, 0);
    private Learned? _learned;
    private (ImageClassifier Model, GradCam Map)? _explainer;
    private bool _isAsked;
    private long _since;

    /// <param name="changed">Told when <see cref="State"/> or <see cref="Current"/> has changed.</param>
    public Learner(Project project, BackboneRequest backbone, Action changed)
    {
        (_project, _changed, Features) = (project, changed, new(backbone));
        project.Changed += Wake;
        _work = OwnThread.RunAsync(() =>
        {
            Work();
            return true;
        });
        Wake();
    }

    public ProjectFeatures Features { get; }

    public LearnerState State => Volatile.Read(ref _state);

    /// <summary>Null until there are two classes with two photos each.</summary>
    public Learned? Current => Volatile.Read(ref _learned);

    /// <summary>Looks at the photos however many they are.</summary>
    public void GoAhead()
    {
        _isAsked = true;
        Wake();
    }

    /// <summary>The photo with the places marked that speak for a class, as the model sees it; null where there is no model.</summary>
    /// <exception cref="GraftException">The model has no heat map; says why.</exception>
    public Imaging.RgbImage? Explain(Imaging.RgbImage photo, string? @class)
    {
        if (Current is not { } learned) return null;
        lock (_explaining)
        {
            if (_explainer?.Model != learned.Model)
            {
                _explainer?.Map.Dispose();
                _explainer = null;
                _explainer = (learned.Model, new(learned.Model));
            }
            var label = @class is null ? -1 : learned.Classes.ToList().IndexOf(@class);
            if (label < 0)
            {
                var probabilities = learned.Model.Predict(photo).Probabilities;
                label = Enumerable.Range(0, probabilities.Count).MaxBy(index => probabilities[index]);
            }
            return _explainer.Value.Map.Explain(photo, label).Over(photo);
        }
    }

    public void Dispose()
    {
        _project.Changed -= Wake;
        _end.Cancel();
        _signal.Release();
        _work.Wait();
        lock (_explaining) _explainer?.Map.Dispose();
        Current?.Model.Dispose();
        Features.Dispose();
        _signal.Dispose();
        _current.Dispose();
        _end.Dispose();
    }

    private void Wake()
    {
        Interlocked.CompareExchange(ref _since, Stopwatch.GetTimestamp(), 0);
        lock (_signal)
        {
            _current.Cancel();
            _signal.Release();
        }
    }

    private void Work()
    {
        while (true)
        {
            _signal.Wait();
            // Of several changes in a row the last counts.
            while (!_end.IsCancellationRequested && _signal.Wait(Quiet)) continue;
            if (_end.IsCancellationRequested) return;
            lock (_signal)
            {
                _current.Dispose();
                _current = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
            }
            var since = Interlocked.Exchange(ref _since, 0);
            try
            {
                Learn(since, _current.Token);
            }
            catch (OperationCanceledException) when (_current.IsCancellationRequested)
            {
                // Labels have changed meanwhile; what was waited for since the first change still is.
                Interlocked.CompareExchange(ref _since, since, 0);
            }
            catch (Exception problem) when (problem is GraftException or IOException or UnauthorizedAccessException)
            {
                Set(new(false, null, problem.Message, 0));
            }
        }
    }

    private void Learn(long since, CancellationToken cancellation)
    {
        var labeling = _project.Labeling;
        // Test photos are for the end.
        var labeled = Enumerable.Range(0, labeling.Photos.Length).Where(number => labeling.Labels[number] is not null && labeling.Photos[number].Part != "test")
            .Select(number => (Photo: labeling.Photos[number], Class: labeling.Labels[number]!)).ToList();
        var enough = labeled.CountBy(entry => entry.Class, StringComparer.Ordinal).Count(entry => entry.Value >= 2);
        if (enough < 2)
        {
            Publish(null);
            Set(new(false, null, null, 0));
            return;
        }
        var unlabeled = Enumerable.Range(0, labeling.Photos.Length).Where(number => labeling.Labels[number] is null).Select(number => labeling.Photos[number]).ToList();
        unlabeled = Spread(unlabeled, MostUnlabeled);
        var isPart = labeled.Count > MostLabeled;
        if (isPart)
        {
            var share = (double)MostLabeled / labeled.Count;
            labeled = [.. labeled.GroupBy(entry => entry.Class, StringComparer.Ordinal).SelectMany(group => Spread([.. group], Math.Max(FewestOfClass, (int)(share * group.Count()))))];
        }
        var unseen = Features.CountUnknown(labeled.Select(entry => entry.Photo).Concat(unlabeled));
        if (unseen > UnseenUnasked && !_isAsked)
        {
            Set(new(false, null, null, unseen));
            return;
        }
        Set(new(true, null, null, 0));
        var progress = new Relay(step => Set(new(true, step, null, 0)));
        Features.Complete([.. labeled.Select(entry => entry.Photo)], progress, cancellation);

        var seen = labeled.Select(entry => (entry.Photo, entry.Class, Row: Features.Find(entry.Photo))).Where(entry => entry.Row is not null).ToList();
        var counts = seen.CountBy(entry => entry.Class, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        string[] classes = [.. counts.Where(entry => entry.Value >= 2).Select(entry => entry.Key).Order(StringComparer.Ordinal)];
        if (classes.Length < 2)
        {
            Publish(null);
            Set(new(false, null, "The photos of fewer than two classes can be read.", 0));
            return;
        }
        seen = [.. seen.Where(entry => counts[entry.Class] >= 2)];
        float[][] rows = [.. seen.Select(entry => entry.Row!)];
        int[] labels = [.. seen.Select(entry => Array.IndexOf(classes, entry.Class))];
        var fit = QuickFit.Of(rows, labels, classes.Length, _end.Token);
        var block = Features.Blocks.Blocks[0];
        using var head = fit.Fitted.ToModule(block.Network);

        var guesses = new Dictionary<string, Guess>(StringComparer.Ordinal);
        var judged = new List<Judged>();
        for (var index = 0; index < seen.Count; index++)
        {
            var row = fit.Probabilities.AsSpan(index * classes.Length, classes.Length);
            if (double.IsNaN(row[0])) continue;
            Guess guess = new([.. row.ToArray().Select(value => (float)value)]);
            guesses[seen[index].Photo.Id] = guess;
            judged.Add(new(seen[index].Photo.Id, labels[index], guess.Best));
        }
        var before = Current;
        Learned learned = new()
        {
            From = labeling,
            Classes = classes,
            Judged = judged,
            IsPart = isPart,
            Guesses = guesses,
            Model = ImageClassifier.Of(block, head, classes).With(1 / fit.Factor, novelty: null),
            Sentence = Learned.Say(judged, before is not null && before.Classes.SequenceEqual(classes) ? before.Judged : null),
            Seconds = Stopwatch.GetElapsedTime(since).TotalSeconds,
            Insights = before?.Insights,
        };
        Publish(learned);
        Features.Complete(unlabeled, progress, cancellation);
        Publish(Complete(learned, head, [.. seen.Select(entry => entry.Photo)], rows, labels, fit, unlabeled, cancellation));
        Set(new(false, null, null, 0));
        // Of thousands of photos much was needed that is not any more.
        if (seen.Count + unlabeled.Count > UnseenUnasked) GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }

    private static List<T> Spread<T>(List<T> all, int most) =>
        all.Count <= most ? [.. all] : [.. Enumerable.Range(0, most).Select(index => all[(int)((long)index * all.Count / most)])];

    /// <summary>What the page can wait for: guesses of unlabeled photos, doubtful labels, photos like no other, the map.</summary>
    private Learned Complete(
        Learned learned, TorchNetwork head, IReadOnlyList<Photo> labeled, float[][] rows, int[] labels, QuickFit fit, IReadOnlyList<Photo> unlabeled,
        CancellationToken cancellation)
    {
        using var oneThread = new TorchThreads(1);
        var others = unlabeled.Select(photo => (Photo: photo, Row: Features.Find(photo))).Where(entry => entry.Row is not null).Select(entry => (entry.Photo, Row: entry.Row!)).ToList();
        var guesses = new Dictionary<string, Guess>(learned.Guesses, StringComparer.Ordinal);
        if (others.Count > 0)
        {
            var outputs = Trainer.Outputs(head, new ExamplesInMemory([.. others.Select(entry => entry.Row)], new int[others.Count]), batchSize: 256, cancellation);
            foreach (var (entry, output) in others.Zip(outputs)) guesses[entry.Photo.Id] = new(Probabilities.Softmax([.. output.Select(value => (float)(fit.Factor * value))]));
        }
        var suspects = ConfidentLearning.Suspects(labels, fit.Probabilities, learned.Classes.Count);
        cancellation.ThrowIfCancellationRequested();
        var novelty = NoveltyOf(rows, labels);
        var model = novelty is null ? learned.Model : learned.Model.With(1, novelty, RefuseOf(novelty));
        var distances = novelty?.Distances([.. others.Select(entry => entry.Row)]) ?? [];
        var cut = novelty?.Cut(RefuseOf(novelty)) ?? double.PositiveInfinity;
        var unlike = Enumerable.Range(0, distances.Length).Where(index => distances[index] > cut).OrderByDescending(index => distances[index]);
        var all = labeled.Select((photo, index) => (Photo: photo, Row: rows[index])).Concat(others).ToList();
        var map = FeatureMap.Of([.. all.Select(entry => entry.Row)]);
        var places = all.Select((entry, index) => (entry.Photo.Id, Place: map?.Points[index])).Where(entry => entry.Place is not null)
            .ToDictionary(entry => entry.Id, entry => entry.Place!.Value, StringComparer.Ordinal);
        return learned with
        {
            Guesses = guesses,
            Model = model,
            Insights = new([.. suspects.Select(index => labeled[index].Id)], [.. unlike.Select(index => others[index].Photo.Id)], places),
        };
    }

    /// <summary>"None of these", with a fifth of the photos held out to say where it begins.</summary>
    private static Novelty? NoveltyOf(float[][] rows, int[] labels)
    {
        if (StratifiedFolds.Of(labels, 1) is not [var fold, ..]) return null;
        return NoveltyFit.Fit(
            [.. fold.Kept.Select(row => rows[row])], [.. fold.Kept.Select(row => labels[row])], [.. fold.HeldOut.Select(row => rows[row])],
            [.. fold.HeldOut.Select(row => labels[row])], [], layer: "", seed: 1);
    }

    /// <summary>The usual share, or of few photos the least that they can promise.</summary>
    private static double RefuseOf(Novelty novelty) => Math.Max(Novelty.DefaultRefuse, 1.0 / (novelty.ValidationCount + 1));

    private void Publish(Learned? learned)
    {
        var before = Current;
        Volatile.Write(ref _learned, learned);
        if (before is not null && before.Model != learned?.Model)
        {
            lock (_explaining)
            {
                if (_explainer?.Model == before.Model)
                {
                    _explainer?.Map.Dispose();
                    _explainer = null;
                }
            }
            before.Model.Dispose();
        }
        _changed();
    }

    private void Set(LearnerState state)
    {
        Volatile.Write(ref _state, state);
        _changed();
    }

    private sealed class Relay(Action<StepProgress> report) : IProgress<StepProgress>
    {
        public void Report(StepProgress value) => report(value);
    }
}
