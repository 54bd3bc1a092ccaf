using System.Threading.Channels;
using Graft.Inference;

namespace Graft.Cli.Serve;

/// <summary>
/// Photos that wait to be predicted: a bounded queue and a worker per core, each of which takes one photo at a time from its bytes to its
/// probabilities, so that no photo waits for another one that is larger.
/// </summary>
internal sealed class PredictionQueue : IAsyncDisposable
{
    private readonly Channel<Job> _jobs;
    private readonly Task[] _workers;
    private readonly ServedModel _model;

    public PredictionQueue(ServedModel model, int capacity, int workers)
    {
        _model = model;
        _jobs = Channel.CreateBounded<Job>(capacity);
        _workers = [.. Enumerable.Range(0, workers).Select(_ => Task.Factory.StartNew(
            Work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
    }

    /// <summary>How many photos wait.</summary>
    public int Length => _jobs.Reader.Count;

    /// <summary>Null where the queue is full.</summary>
    public Task<Prediction>? TryAdd(Func<Classifier, Prediction> predict, CancellationToken cancellation)
    {
        var job = new Job(predict, new(TaskCreationOptions.RunContinuationsAsynchronously), cancellation);
        return _jobs.Writer.TryWrite(job) ? job.Completion.Task : null;
    }

    public async ValueTask DisposeAsync()
    {
        _jobs.Writer.Complete();
        await Task.WhenAll(_workers);
    }

    private void Work()
    {
        while (_jobs.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            while (_jobs.Reader.TryRead(out var job))
            {
                // Whoever hung up needs no answer.
                if (job.Cancellation.IsCancellationRequested)
                {
                    job.Completion.TrySetCanceled(job.Cancellation);
                    continue;
                }
                try
                {
                    job.Completion.TrySetResult(_model.Predict(job.Predict).Prediction);
                }
                catch (Exception problem)
                {
                    job.Completion.TrySetException(problem);
                }
            }
        }
    }

    private sealed record Job(Func<Classifier, Prediction> Predict, TaskCompletionSource<Prediction> Completion, CancellationToken Cancellation);
}
