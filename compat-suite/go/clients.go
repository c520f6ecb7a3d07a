package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

var ctx = context.Background()

// Clients of one check; what it made is deleted at its end.
type clients struct {
	sqs    *sqs.Client
	sns    *sns.Client
	sts    *sts.Client
	queues []string
	topics []string
}

func variable(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// Clients that never try again, so that an error is seen.
func newClients() *clients {
	config := aws.Config{
		Region: variable("AWS_REGION", "us-east-1"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID:     variable("AWS_ACCESS_KEY_ID", "test"),
				SecretAccessKey: variable("AWS_SECRET_ACCESS_KEY", "test"),
				SessionToken:    os.Getenv("AWS_SESSION_TOKEN"),
			}, nil
		}),
		EndpointResolverWithOptions: aws.EndpointResolverWithOptionsFunc(
			func(service, region string, options ...any) (aws.Endpoint, error) {
				return aws.Endpoint{URL: os.Getenv("SQUAB_ENDPOINT")}, nil
			}),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
	return &clients{sqs: sqs.NewFromConfig(config), sns: sns.NewFromConfig(config), sts: sts.NewFromConfig(config)}
}

var count int64

// A name that no other check has.
func unique() string {
	return fmt.Sprintf("compat-%x-%d", time.Now().UnixNano(), atomic.AddInt64(&count, 1))
}

// A new queue with these attributes; its URL.
func (c *clients) queue(attributes map[string]string) *string {
	name := unique()
	if attributes["FifoQueue"] == "true" {
		name += ".fifo"
	}
	made, err := c.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	must(err)
	c.queues = append(c.queues, *made.QueueUrl)
	return made.QueueUrl
}

func (c *clients) arn(url *string) string {
	shown, err := c.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
	})
	must(err)
	return shown.Attributes["QueueArn"]
}

// A new topic with these attributes; its ARN.
func (c *clients) topic(attributes map[string]string) *string {
	name := unique()
	if attributes["FifoTopic"] == "true" {
		name += ".fifo"
	}
	made, err := c.sns.CreateTopic(ctx, &sns.CreateTopicInput{Name: &name, Attributes: attributes})
	must(err)
	c.topics = append(c.topics, *made.TopicArn)
	return made.TopicArn
}

// A new queue that is subscribed to the topic with these attributes; its URL.
func (c *clients) inbox(topic *string, ofQueue, attributes map[string]string) *string {
	url := c.queue(ofQueue)
	_, err := c.sns.Subscribe(ctx, &sns.SubscribeInput{
		TopicArn: topic, Protocol: aws.String("sqs"), Endpoint: aws.String(c.arn(url)), Attributes: attributes,
	})
	must(err)
	return url
}

func (c *clients) send(url *string, body string) *sqs.SendMessageOutput {
	sent, err := c.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body})
	must(err)
	return sent
}

// Receives up to `most` messages with all their attributes, waiting up to `wait` seconds.
func (c *clients) receive(url *string, most, wait int32) []types.Message {
	answer, err := c.sqs.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: most, WaitTimeSeconds: wait,
		MessageAttributeNames: []string{"All"}, AttributeNames: []types.QueueAttributeName{"All"},
	})
	must(err)
	return answer.Messages
}

func (c *clients) bodies(url *string, wait int32) string {
	found := []string{}
	for _, message := range c.receive(url, 10, wait) {
		found = append(found, *message.Body)
	}
	return strings.Join(found, " ")
}

func (c *clients) remove(url *string, message types.Message) {
	_, err := c.sqs.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: message.ReceiptHandle})
	must(err)
}

func (c *clients) show(url *string, message types.Message) {
	_, err := c.sqs.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: url, ReceiptHandle: message.ReceiptHandle, VisibilityTimeout: 0,
	})
	must(err)
}

// Deletes what was made; the check may have done so.
func (c *clients) cleanUp() {
	for i := range c.queues {
		c.sqs.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &c.queues[i]})
	}
	for i := range c.topics {
		c.sns.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: &c.topics[i]})
	}
}
